"""gRPC: servers, channels, the interceptor chain, access policy and trust state."""
