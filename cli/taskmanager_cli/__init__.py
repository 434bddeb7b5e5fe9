"""Command-line client of the task manager, over its REST API."""
