"""Transcoding between HTTP with JSON and gRPC, from descriptors. Pure: no network, no framework, no rpc by name."""
