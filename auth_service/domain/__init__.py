"""Rules for accounts, passwords, sessions, tokens, signing keys and revocations. Standard library only."""
