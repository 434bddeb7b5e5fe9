"""Client of auth_service, and a cache of its users."""
