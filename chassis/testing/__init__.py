"""Helpers for the tests of every service."""
