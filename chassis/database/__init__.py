"""Postgres: statements, connection pool, unit of work, roles and migrations."""
