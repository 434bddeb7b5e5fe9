"""HTTP: the ASGI application, its answers and errors, and the server that runs it."""
