"""Limits of connections: their number, in all and by client address, and their timeouts."""

from collections.abc import Sequence
from dataclasses import dataclass

from chassis.kernel.holder_counts import HolderCounts
from chassis.limits.rate_limit import Network, is_in_networks, rate_limit_key
from gateway.transport.errors import http_errors


class OpenConnections:
    """Open connections of one server. Trusted peers, such as proxies, are limited only by the total."""

    def __init__(self, *, max_connections: int, max_per_address: int, trusted_peers: Sequence[Network]) -> None:
        self._max_connections = max_connections
        self._max_per_address = max_per_address
        self._trusted_peers = tuple(trusted_peers)
        self._open = HolderCounts[str]()

    def add(self, address: str) -> None:
        """Count a new connection. Raises HttpError over a limit, and then counts nothing."""
        key = rate_limit_key(address)
        if self._open[key] >= self._max_per_address and not is_in_networks(address, self._trusted_peers):
            raise http_errors.too_many_connections_of_address(self._max_per_address)
        if self._open.total >= self._max_connections:
            raise http_errors.too_many_connections()
        self._open.add(key)

    def remove(self, address: str) -> None:
        """Count the end of a connection that was added."""
        self._open.remove(rate_limit_key(address))


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Limits of each connection and of all together."""

    open_connections: OpenConnections
    header_timeout_seconds: float
    send_timeout_seconds: float
    min_send_bytes: int
    """Minimum of bytes that a client must read in the send timeout."""
