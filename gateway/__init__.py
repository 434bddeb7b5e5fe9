"""REST gateway: translates HTTP with JSON to the gRPC services and back. It has no domain and stores nothing."""
