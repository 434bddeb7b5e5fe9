"""HTTP: the ASGI application, its endpoints and errors, and the server that runs it."""
