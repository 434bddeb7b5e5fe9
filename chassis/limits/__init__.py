"""Limits of a server: calls by address, concurrent calls, open streams of a caller."""
