"""Errors that stop the start."""

from chassis.kernel.errors import StartError


class UnsupportedContract(StartError):
    """The contract uses something that the gateway does not support. The message names the rpc, field or path."""
