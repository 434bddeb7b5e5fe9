"""The HTTP server: uvicorn, with limits on the request line and the header lines."""
