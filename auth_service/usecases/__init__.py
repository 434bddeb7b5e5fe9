"""What callers and operators can have done, each one a class that is called."""
