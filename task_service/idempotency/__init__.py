"""Idempotency keys: a repeated request with the same key gets the stored response of the first one."""
