"""Cells of a row, and the values that they give."""
