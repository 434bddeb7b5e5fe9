"""Rate limit for calls without a token, for clients that connect without a gateway."""

from collections.abc import Callable, Collection, Sequence
from typing import Any
from urllib.parse import unquote

from grpc_interceptor.server import AsyncServerInterceptor

from chassis.kernel.errors import DomainError
from chassis.limits.rate_limit import AddressRateLimiter, Network, is_in_networks
from chassis.rpc.interceptor import Context, is_stream


class TooManyCalls(DomainError):
    """Too many calls from your address. Wait before the next one; see Retry-After."""

    def __init__(self, *, retry_after_seconds: float) -> None:
        super().__init__(retry_after_seconds=retry_after_seconds)


class RateLimitInterceptor(AsyncServerInterceptor):
    """Interceptor that limits the calls of some methods by the peer's address.

    Trusted peers are exempt: they have their own limits.
    """

    def __init__(self, *, limiter: AddressRateLimiter, methods: Collection[str], trusted: Sequence[Network]) -> None:
        self._limiter = limiter
        self._methods = frozenset(methods)
        self._trusted = tuple(trusted)

    async def intercept(
        self, method: Callable[..., Any], request_or_iterator: Any, context: Any, method_name: str
    ) -> Any:
        await self._check(context, method_name)
        response = method(request_or_iterator, context)
        return response if is_stream(method) else await response

    async def _check(self, context: Context, method: str) -> None:
        if method not in self._methods:
            return
        address = peer_address(context.peer())
        if self._is_trusted(address):
            return
        retry_after_seconds = await self._limiter.hit(address)
        if retry_after_seconds is not None:
            raise TooManyCalls(retry_after_seconds=retry_after_seconds)

    def _is_trusted(self, address: str) -> bool:
        return is_in_networks(address, self._trusted)


def peer_address(peer: str) -> str:
    """Return the address of a gRPC peer: ipv4:127.0.0.1:5000, ipv6:%5B::1%5D:5000, unix:path."""
    kind, _, rest = peer.partition(":")
    if kind not in {"ipv4", "ipv6"}:
        return peer
    return unquote(rest).rpartition(":")[0].strip("[]")
