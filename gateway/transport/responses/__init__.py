"""Responses: sending one whole, the entity tag, and documents that never change."""
