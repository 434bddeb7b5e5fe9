"""Beginning of a file: encoding, delimiter and header line."""
