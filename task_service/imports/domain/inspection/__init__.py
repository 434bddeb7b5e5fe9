"""Inspection of a file before its upload."""
