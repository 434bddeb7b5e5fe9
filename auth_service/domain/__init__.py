"""What an account, a credential, a key and a revocation are, and which ones are acceptable."""
