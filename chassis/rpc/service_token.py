"""Access token of a service: issued for its credential and cached until shortly before it expires."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import grpc
from grpc import aio

IssuedToken = tuple[str, float]
"""A token and its lifetime in seconds."""

Metadata = tuple[tuple[str, str], ...]

RENEW_AT_LIFETIME_FRACTION = 0.8
"""Fraction of its lifetime after which a token is renewed."""


class TokenSource:
    """Source of a service's current token. `issue` calls AuthService.IssueServiceToken."""

    def __init__(
        self, *, issue: Callable[[], Awaitable[IssuedToken]], now: Callable[[], float] = time.monotonic
    ) -> None:
        self._issue = issue
        self._now = now
        self._token = ""
        self._renew_at = 0.0
        self._lock = asyncio.Lock()

    async def __call__(self) -> str:
        """Return a token that has not expired. Raises what `issue` raises if a new one is needed."""
        async with self._lock:
            if self._now() >= self._renew_at:
                self._token, lifetime = await self._issue()
                self._renew_at = self._now() + lifetime * RENEW_AT_LIFETIME_FRACTION
            return self._token

    @asynccontextmanager
    async def authorize(self) -> AsyncIterator[Metadata]:
        """Yield the metadata of one call of any kind, unary or streaming, that runs inside the context.

        A token can be revoked before it expires, with its account or its key. If the call ends as UNAUTHENTICATED, the
        next call fetches a new token, unless another call has already done so.
        """
        token = await self()
        try:
            yield (("authorization", f"Bearer {token}"),)
        except aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNAUTHENTICATED and self._token == token:
                self.invalidate()
            raise

    def invalidate(self) -> None:
        """Discard the token, so that the next call fetches a new one."""
        self._renew_at = 0.0
