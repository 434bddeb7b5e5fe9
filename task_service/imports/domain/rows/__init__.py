"""Rows of a batch, which become tasks, row errors, or nothing."""
