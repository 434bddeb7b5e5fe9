"""Password hashing, signing and encryption behind the use cases' ports."""
