"""The form of an upload (RFC 7578)."""

FILE_PART = "file"
"""Name of the part with the file."""
