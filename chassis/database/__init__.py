"""Postgres as every service uses it: statements, a pool, a unit of work, roles and migrations."""
