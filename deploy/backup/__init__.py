"""Backup of the whole system in one folder, and its restore into an empty database."""
