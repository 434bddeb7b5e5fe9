"""Limits of a server: rates by address, concurrent calls and streams, shares of a caller and turns between callers."""
