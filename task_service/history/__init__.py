"""Task history: an append-only log of field changes, protected by a hash chain."""
