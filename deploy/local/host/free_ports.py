"""Choosing ports of 127.0.0.1."""

import random
import socket

HOST = "127.0.0.1"
# Below every system's ephemeral range: a connection somebody opens while a service restarts can never take its port.
_CANDIDATES = range(20_000, 32_000)


def is_free(port: int) -> bool:
    """Tells whether nobody listens on a port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """Returns a port that nobody listens on now. Random, so that two who ask at once hardly get the same."""
    while True:
        port = random.choice(_CANDIDATES)  # noqa: S311 - not a secret
        if is_free(port):
            return port
