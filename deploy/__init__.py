"""Deployment of the system: on one machine and in containers."""
