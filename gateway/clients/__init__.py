"""The way to the services: a channel each, and calls made from descriptors."""
