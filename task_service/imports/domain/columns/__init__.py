"""Columns of a file, and the fields that they fill."""
