"""Limit on concurrent password checks of one account."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from auth_service.domain.errors import PasswordChecksBusy
from chassis.kernel.fair_limit import FairLimiter, NoFreeSlot
from chassis.kernel.holder_counts import HolderCounts

MAX_CALLS_PER_ACCOUNT = 50
"""Maximum number of calls for one account, those that wait included. It is a tenth of a server's capacity for calls."""


class AccountConcurrencyLimit:
    """Limit on the concurrent password checks of one account in this process.

    A success resets the account's rate limit, so a client with the right password never reaches it. Without a limit
    here, its calls would hold every hashing thread and database connection. Calls that wait here hold neither.
    """

    def __init__(self, *, max_concurrent: int, wait_seconds: float) -> None:
        self._slots = FairLimiter(max_total=None, max_per_key=max_concurrent)
        self._wait_seconds = wait_seconds
        self._calls = HolderCounts[bytes]()

    @asynccontextmanager
    async def hold(self, account: bytes) -> AsyncIterator[None]:
        """Hold one of the account's slots. Raises PasswordChecksBusy at MAX_CALLS_PER_ACCOUNT or after the wait."""
        if self._calls[account] >= MAX_CALLS_PER_ACCOUNT:
            raise PasswordChecksBusy
        self._calls.add(account)
        try:
            async with self._slots.slot(account, timeout_seconds=self._wait_seconds):
                yield
        except NoFreeSlot:
            raise PasswordChecksBusy from None
        finally:
            self._calls.remove(account)
