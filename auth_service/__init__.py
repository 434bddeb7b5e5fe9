"""Authentication service: owns accounts, sessions, service accounts, signing keys and security events."""
