"""Use cases of clients, operators and background loops. Each is a callable object."""
