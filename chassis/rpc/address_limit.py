"""Limits how often one address makes calls that need no token, where clients connect without a gateway before them."""

import ipaddress
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from urllib.parse import unquote

from chassis.kernel.errors import DomainError
from chassis.limits.rate_limit import AddressRateLimiter
from chassis.limits.rate_limit import parse_address
from chassis.rpc.interceptor import ContextInterceptor
from chassis.rpc.interceptor import Context

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class TooManyCalls(DomainError):
    """Too many calls have come from your address; wait a moment before the next one."""

    def __init__(self, *, retry_after: float) -> None:
        super().__init__(retry_after=retry_after)


class RateLimitInterceptor(ContextInterceptor):
    """Counts calls of some methods by the address of their connection. Trusted peers limit by themselves."""

    def __init__(self, *, limiter: AddressRateLimiter, methods: Collection[str], trusted: Sequence[Network]) -> None:
        self._limiter = limiter
        self._methods = frozenset(methods)
        self._trusted = tuple(trusted)

    @asynccontextmanager
    async def around(self, context: Context, method: str) -> AsyncIterator[None]:
        if method in self._methods:
            address = address_of(context.peer())
            if not self._is_trusted(address):
                wait = await self._limiter.wait(address)
                if wait is not None:
                    raise TooManyCalls(retry_after=wait)
        yield

    def _is_trusted(self, address: str) -> bool:
        parsed = parse_address(address)
        return parsed is not None and any(parsed in network for network in self._trusted)


def address_of(peer: str) -> str:
    """The address in what gRPC calls a peer: ipv4:127.0.0.1:5000, ipv6:%5B::1%5D:5000, unix:path."""
    kind, _, rest = peer.partition(":")
    if kind not in {"ipv4", "ipv6"}:
        return peer
    return unquote(rest).rpartition(":")[0].strip("[]")
