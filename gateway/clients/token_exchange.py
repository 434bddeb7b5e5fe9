"""Exchange of personal access tokens for the JWTs that services accept, and the JWTs of tokens in use."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

import grpc
from grpc import aio
from taskmanager.auth.v1 import token_service_pb2

from chassis.kernel.personal_tokens import personal_token_digest
from chassis.rpc.errors import RichStatus, read_status
from chassis.rpc.request_context import REQUEST_ID_KEY, request_id
from chassis.rpc.tracing import client_span
from chassis.tracing.spans import trace_metadata

if TYPE_CHECKING:
    from taskmanager.auth.v1 import token_service_pb2_grpc

MAX_CACHED_TOKENS = 10_000
"""Maximum number of JWTs in memory, each of about a kilobyte."""
MAX_REFUSED_TOKENS = 10_000
_EXCHANGE_TOKEN = "/taskmanager.auth.v1.TokenService/ExchangeToken"  # noqa: S105 - the path of the rpc
REFUSED_SECONDS = 30.0
"""Time for which a refused token is refused again without a call. No refused token becomes valid later."""

Value = TypeVar("Value")


class TokenRefused(Exception):
    """auth_service refused a personal access token."""

    def __init__(self, status: RichStatus) -> None:
        super().__init__(status.message)
        self.status = status


@dataclass(frozen=True, slots=True)
class ExchangedToken:
    """JWT of a personal access token. Times are in seconds, on a monotonic clock."""

    access_token: str = field(repr=False)
    token_id: str
    lifetime: float
    expires_at: float

    def lasts(self, seconds: float, *, now: float) -> bool:
        """Return True if the JWT is valid for so long, or for half of its life if that is less."""
        return self.expires_at - now >= min(seconds, self.lifetime / 2)


class TokenExchange:
    """Client of TokenService.ExchangeToken. It caches JWTs until they expire, and refusals for REFUSED_SECONDS.

    Its keys are digests: the memory of the gateway holds no personal access token longer than a request.
    """

    def __init__(
        self,
        stub: "token_service_pb2_grpc.TokenServiceAsyncStub",
        *,
        timeout_seconds: float,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stub = stub
        self._timeout_seconds = timeout_seconds
        self._now = now
        self._exchanged = _TtlCache[ExchangedToken](MAX_CACHED_TOKENS)
        self._refused = _TtlCache[RichStatus](MAX_REFUSED_TOKENS)
        self._in_flight: dict[bytes, asyncio.Task[ExchangedToken]] = {}

    async def get(
        self, token: str, *, needed_seconds: float, before_exchange: Callable[[], Awaitable[None]]
    ) -> ExchangedToken:
        """Return a JWT that lasts for `needed_seconds`, from the cache if possible.

        Concurrent calls for one token share one exchange, which goes on if some of them are cancelled. A JWT in the
        cache that is still valid is better than none: it is returned if its renewal fails.

        Raises:
            TokenRefused: the token is unknown, expired or revoked.
            AioRpcError: the exchange failed for another reason.
            Exception: whatever `before_exchange` raised, which is called before an exchange only.

        """
        digest = personal_token_digest(token)
        now = self._now()
        cached = self._exchanged.get(digest, now=now)
        if cached is not None and cached.lasts(needed_seconds, now=now):
            return cached
        if refusal := self._refused.get(digest, now=now):
            raise TokenRefused(refusal)
        try:
            return await asyncio.shield(self._exchange_of(digest, token, before_exchange))
        except TokenRefused:
            raise
        except Exception:
            if cached is None:
                raise
            return cached

    def discard(self, token: str, exchanged: ExchangedToken) -> None:
        """Remove a JWT that a service refused, unless a newer one has replaced it."""
        self._exchanged.remove(personal_token_digest(token), exchanged)

    def _exchange_of(
        self, digest: bytes, token: str, before_exchange: Callable[[], Awaitable[None]]
    ) -> "asyncio.Task[ExchangedToken]":
        """Return the exchange of a token that is in flight, or start one."""
        task = self._in_flight.get(digest)
        if task is None:
            task = self._in_flight[digest] = asyncio.create_task(self._exchange(digest, token, before_exchange))

            def forget(ended: "asyncio.Task[ExchangedToken]") -> None:
                del self._in_flight[digest]
                if not ended.cancelled():
                    ended.exception()  # if nobody waits any more, asyncio would log that it was never retrieved

            task.add_done_callback(forget)
        return task

    async def _exchange(
        self, digest: bytes, token: str, before_exchange: Callable[[], Awaitable[None]]
    ) -> ExchangedToken:
        await before_exchange()
        now = self._now()
        request = token_service_pb2.ExchangeTokenRequest(token=token)
        metadata = ((REQUEST_ID_KEY, request_id()),)
        try:
            with client_span(_EXCHANGE_TOKEN):
                response = await self._stub.ExchangeToken(
                    request, metadata=(*metadata, *trace_metadata()), timeout=self._timeout_seconds
                )
        except aio.AioRpcError as error:
            status = read_status(error)
            # Without details, the status is not auth_service's and says nothing about the token.
            if status.code is not grpc.StatusCode.UNAUTHENTICATED or status.reason == status.code.name:
                raise
            self._exchanged.remove(digest)
            self._refused.put(digest, status, expires_at=now + REFUSED_SECONDS)
            raise TokenRefused(status) from error
        lifetime = float(response.expires_in)
        exchanged = ExchangedToken(response.access_token, response.token_id, lifetime, now + lifetime)
        self._exchanged.put(digest, exchanged, expires_at=exchanged.expires_at)
        return exchanged


class _TtlCache(Generic[Value]):
    """TTL cache with a maximum size; evicts the oldest entry."""

    def __init__(self, max_entries: int) -> None:
        self._max_entries = max_entries
        self._entries: dict[bytes, tuple[Value, float]] = {}

    def get(self, key: bytes, *, now: float) -> Value | None:
        value, expires_at = self._entries.get(key, (None, now))
        return value if now < expires_at else None

    def put(self, key: bytes, value: Value, *, expires_at: float) -> None:
        self.remove(key)
        if len(self._entries) >= self._max_entries:
            del self._entries[next(iter(self._entries))]
        self._entries[key] = (value, expires_at)

    def remove(self, key: bytes, value: Value | None = None) -> None:
        """Remove an entry; with a value, only if it is the entry's."""
        entry = self._entries.get(key)
        if entry is not None and (value is None or entry[0] is value):
            del self._entries[key]
