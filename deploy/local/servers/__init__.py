"""Postgres and Valkey, embedded or the operator's own."""
