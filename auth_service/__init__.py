"""Owns accounts, sessions, signing keys and service identities: who somebody is, and the token that says so."""
