"""Reads uploaded CSV files and streams their rows to task_service. Owns no data."""
