"""Clients of other systems: object store, message broker, auth_service."""
