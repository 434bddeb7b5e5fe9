"""Clients of the imports context: the object store and the workers' broker."""
