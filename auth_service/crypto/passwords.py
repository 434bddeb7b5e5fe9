"""Password hashing by argon2id (RFC 9106), in a fixed number of threads."""

import asyncio
import secrets
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from prometheus_client import Counter

from auth_service.domain.errors import PasswordChecksBusy
from chassis.kernel.fair_limit import FairLimiter

PASSWORD_HASHES = Counter(
    "auth_password_hashes", "Runs of argon2. Each uses all of its memory parameter and about 40 ms of a core"
)

Result = TypeVar("Result")


class Argon2PasswordHasher:
    """Password hasher on an executor with `concurrency` threads, of which one account gets `max_per_account`.

    Each run uses all of the memory parameter and a core. Without a limit, many logins at once would stop the service.
    """

    def __init__(
        self,
        *,
        argon2: PasswordHasher,
        executor: Executor,
        concurrency: int,
        max_per_account: int,
        wait_seconds: float,
    ) -> None:
        self._argon2 = argon2
        self._executor = executor
        self._slots = FairLimiter(max_total=concurrency, max_per_key=max_per_account)
        self._wait_seconds = wait_seconds
        # For accounts that do not exist. It has the current parameters, so verifying it takes the same time.
        self._dummy_hash = argon2.hash(secrets.token_urlsafe())

    async def hash(self, password: str, *, account: bytes) -> str:
        """Return the hash in PHC string format; raise PasswordChecksBusy after `wait_seconds` without a free thread."""
        return await self._run(account, lambda: self._argon2.hash(password))

    async def verify(self, password: str, password_hash: str | None, *, account: bytes) -> bool:
        """Return True if the hash is of this password; False for None, after the same work. Raises as `hash` does."""
        is_correct = await self._run(account, lambda: self._verify(password_hash or self._dummy_hash, password))
        return is_correct and password_hash is not None

    def needs_rehash(self, password_hash: str) -> bool:
        """Return True if the hash was made with other parameters than the current ones."""
        return self._argon2.check_needs_rehash(password_hash)

    def _verify(self, password_hash: str, password: str) -> bool:
        try:
            return self._argon2.verify(password_hash, password)
        except VerifyMismatchError:
            return False

    async def _run(self, account: bytes, work: Callable[[], Result]) -> Result:
        try:
            await self._slots.acquire(account, timeout_seconds=self._wait_seconds)
        except TimeoutError:
            raise PasswordChecksBusy from None
        PASSWORD_HASHES.inc()
        try:
            running = self._executor.submit(work)
        except BaseException:
            self._slots.release(account)
            raise
        # Release the slot when the thread is free, not when the caller has gone. Otherwise a client that repeatedly
        # calls and cancels would fill the executor's queue with work that nobody awaits.
        loop = asyncio.get_running_loop()
        running.add_done_callback(lambda _: self._release_slot(loop, account))
        return await asyncio.wrap_future(running)

    def _release_slot(self, loop: asyncio.AbstractEventLoop, account: bytes) -> None:
        with suppress(RuntimeError):  # the loop is closed because the process is ending
            loop.call_soon_threadsafe(self._slots.release, account)
