"""gRPC as every service speaks it: servers, channels, the interceptor chain, access and trust."""
