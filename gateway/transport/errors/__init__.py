"""Errors as clients see them: one JSON body for the gateway's own errors and for failed gRPC calls."""
