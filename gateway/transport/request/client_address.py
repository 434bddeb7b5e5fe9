"""Address of the client of a request that came through proxies."""

from collections.abc import Iterable, Sequence

from chassis.limits.rate_limit import Network, is_in_networks, parse_address
from gateway.transport.asgi import header_values


class ClientAddressResolver:
    """Reader of X-Forwarded-For. Any client can send the header, so only trusted proxies are believed."""

    def __init__(self, trusted_proxies: Sequence[Network]) -> None:
        self._trusted_proxies = tuple(trusted_proxies)

    def resolve(self, peer: str, headers: Iterable[tuple[bytes, bytes]]) -> str:
        """Return the rightmost address that is not a trusted proxy's; the peer's own if it is none.

        Each proxy appends the address of its own peer. The addresses to the left of the result come from the client,
        who may invent them. If an entry is no address, the result is the proxy that sent it.
        """
        address = peer
        if not self._trusted_proxies or not is_in_networks(peer, self._trusted_proxies):
            return address
        entries = b",".join(header_values(headers, b"x-forwarded-for")).decode("latin-1").split(",")
        for entry in reversed(entries):
            parsed = parse_address(_without_port(entry.strip()))
            if parsed is None:
                return address
            address = str(parsed)
            if not is_in_networks(address, self._trusted_proxies):
                return address
        return address


def _without_port(entry: str) -> str:
    """Return the address of an entry. Some proxies append the port: 192.0.2.1:4711, [2001:db8::1]:4711."""
    if entry.startswith("["):
        return entry[1:].partition("]")[0]
    return entry.partition(":")[0] if entry.count(":") == 1 else entry
