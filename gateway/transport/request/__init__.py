"""The request: its parts, its body, and the headers that fill fields of the message."""
