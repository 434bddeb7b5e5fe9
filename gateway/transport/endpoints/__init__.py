"""ASGI endpoints: one class for each shape of rpc, and the health checks."""
