"""The contract's services, on the use cases."""
