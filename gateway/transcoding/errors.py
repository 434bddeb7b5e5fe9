"""Errors that stop the start."""


class UnsupportedContract(Exception):
    """The contract uses something that the gateway does not support. The message names the rpc, field or path."""
