"""Manifests for Kubernetes, and the generator of their Secrets."""
