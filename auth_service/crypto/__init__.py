"""Implementation of the ports for password hashing and signing, and encryption of signing keys."""
