"""Limit on concurrent password checks of one account."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from auth_service.domain.errors import PasswordChecksBusy

MAX_CALLS_PER_ACCOUNT = 50
"""Maximum number of calls for one account, those that wait included. It is a tenth of a server's capacity for calls."""


class AccountConcurrencyLimit:
    """Limit on the concurrent password checks of one account in this process.

    A success resets the account's rate limit, so a client with the right password never reaches it. Without a limit
    here, its calls would hold every hashing thread and database connection. Calls that wait here hold neither.
    """

    def __init__(self, *, max_concurrent: int, wait_seconds: float) -> None:
        self._max_concurrent = max_concurrent
        self._wait_seconds = wait_seconds
        self._calls: Counter[bytes] = Counter()
        self._free_slots: dict[bytes, asyncio.Semaphore] = {}

    @asynccontextmanager
    async def hold(self, account: bytes) -> AsyncIterator[None]:
        """Hold one of the account's slots. Raises PasswordChecksBusy at MAX_CALLS_PER_ACCOUNT or after the wait."""
        if self._calls[account] >= MAX_CALLS_PER_ACCOUNT:
            raise PasswordChecksBusy
        self._calls[account] += 1
        free_slots = self._free_slots.setdefault(account, asyncio.Semaphore(self._max_concurrent))
        try:
            try:
                async with asyncio.timeout(self._wait_seconds):
                    await free_slots.acquire()
            except TimeoutError:
                raise PasswordChecksBusy from None
            try:
                yield
            finally:
                free_slots.release()
        finally:
            self._calls[account] -= 1
            if not self._calls[account]:
                del self._calls[account], self._free_slots[account]
