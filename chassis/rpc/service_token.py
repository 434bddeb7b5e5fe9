"""A service's own access token: got for its credential, kept until shortly before it expires."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable

Issued = tuple[str, float]
"""A token and the seconds it is good for."""

RENEW_AT = 0.8
"""The part of its life after which a token is replaced."""


class TokenSource:
    """The current token, for asyncio code. `issue` asks AuthService.IssueServiceToken."""

    def __init__(self, *, issue: Callable[[], Awaitable[Issued]], now: Callable[[], float] = time.monotonic) -> None:
        self._issue = issue
        self._now = now
        self._token = ""
        self._renew_at = 0.0
        self._lock = asyncio.Lock()

    async def __call__(self) -> str:
        """A token that is good for a while yet; whatever `issue` raises when there is none to be had."""
        async with self._lock:
            if self._now() >= self._renew_at:
                self._token, lifetime = await self._issue()
                self._renew_at = self._now() + lifetime * RENEW_AT
            return self._token

    def forget(self) -> None:
        """Drops a token that was refused, so that the next call asks for another."""
        self._renew_at = 0.0


class ThreadTokenSource:
    """The current token, for code that runs in threads."""

    def __init__(self, *, issue: Callable[[], Issued], now: Callable[[], float] = time.monotonic) -> None:
        self._issue = issue
        self._now = now
        self._token = ""
        self._renew_at = 0.0
        self._lock = threading.Lock()

    def __call__(self) -> str:
        """A token that is good for a while yet; whatever `issue` raises when there is none to be had."""
        with self._lock:
            if self._now() >= self._renew_at:
                self._token, lifetime = self._issue()
                self._renew_at = self._now() + lifetime * RENEW_AT
            return self._token

    def forget(self, refused: str) -> None:
        """Drops a token that was refused, so that the next call asks for another; a newer one is left alone."""
        with self._lock:
            if self._token == refused:
                self._renew_at = 0.0
