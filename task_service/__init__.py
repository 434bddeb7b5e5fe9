"""Owns tasks, their history, and the imports that make them. Schema `tasks`."""
