"""Mutual TLS between services: settings, certificate files, reloading, gRPC credentials and channels."""
