"""From descriptors to routes, JSON and OpenAPI. Pure: no network, no web framework, and no rpc by name."""
