"""The REST edge: turns HTTP and JSON into calls of the contract, and back. It knows no domain and keeps nothing."""
