"""Free TCP ports on 127.0.0.1."""

import errno
import random
import socket

from deploy.local.errors import LocalStackError

HOST = "127.0.0.1"
# Below the ephemeral range of every operating system. An outgoing connection therefore never occupies the port of a
# service while that service restarts.
_CANDIDATES = range(20_000, 32_000)
_reservations: list[socket.socket] = []  # open until this process ends

CHOOSE_ANOTHER_PORT = (
    "Choose another port, or 0 for any free port. `make run` has GATEWAY_PORT=…, AUTH_PORT=… and TASKS_PORT=… for them."
)


def is_port_free(port: int) -> bool:
    """Return True if nothing listens on the port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def find_free_port() -> int:
    """Return a port on which nothing listens. No caller of any process gets the same one before this process ends."""
    while True:
        port = random.choice(_CANDIDATES)  # noqa: S311 - not a secret
        if reserve_port(port) and is_port_free(port):
            return port


def reserve_port(port: int) -> bool:
    """Keep `find_free_port` of every process from choosing the port. Return False if one has reserved it before.

    A server binds its port only after others had time to choose the same one. So a UDP socket with the same number
    reserves the port: the servers use only TCP.
    """
    reservation = socket.socket(type=socket.SOCK_DGRAM)
    try:
        reservation.bind((HOST, port))
    except OSError as error:
        reservation.close()
        if error.errno != errno.EADDRINUSE:
            raise
        return False
    _reservations.append(reservation)
    return True


def listening_socket(port: int) -> socket.socket:
    """Return a socket that listens on the port. Raise LocalStackError if another program does."""
    try:
        return socket.create_server((HOST, port), backlog=2048)
    except OSError:
        message = f"Port {port} is in use by another program. {CHOOSE_ANOTHER_PORT}"
        raise LocalStackError(message) from None
