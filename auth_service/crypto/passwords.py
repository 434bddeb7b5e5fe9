"""Passwords, by argon2id (RFC 9106) in threads, so many at once and no more."""

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

HASHES = Counter("auth_password_hashes", "Runs of argon2: each costs its whole memory and some 40 ms of a core")

Result = TypeVar("Result")


class Argon2PasswordHasher:
    """Hashes in an executor whose workers are as many as `concurrency` says.

    Each run takes the parameters' whole memory and a core, so what is not bounded here is a way to stop the service.
    """

    def __init__(self, *, argon2: PasswordHasher, executor: Executor, concurrency: int, wait_seconds: float) -> None:
        self._argon2 = argon2
        self._executor = executor
        self._places = asyncio.Semaphore(concurrency)
        self._wait_seconds = wait_seconds
        # What a password is held against where there is no account: made with today's parameters, so it costs the same.
        self._nobody = argon2.hash(secrets.token_urlsafe())

    async def hash(self, password: str) -> str:
        """The hash in its PHC string form, parameters and salt included; PasswordChecksBusy when too many wait."""
        return await self._run(lambda: self._argon2.hash(password))

    async def matches(self, password: str, stored: str | None) -> bool:
        """Whether the password is the one hashed; False for None, after as much work. PasswordChecksBusy as above."""
        fits = await self._run(lambda: self._verify(stored or self._nobody, password))
        return fits and stored is not None

    def is_outdated(self, stored: str) -> bool:
        """Whether the settings ask for other parameters than the hash was made with."""
        return self._argon2.check_needs_rehash(stored)

    def _verify(self, stored: str, password: str) -> bool:
        try:
            return self._argon2.verify(stored, password)
        except VerifyMismatchError:
            return False

    async def _run(self, work: Callable[[], Result]) -> Result:
        try:
            async with asyncio.timeout(self._wait_seconds):
                await self._places.acquire()
        except TimeoutError:
            raise PasswordChecksBusy from None
        HASHES.inc()
        try:
            running = self._executor.submit(work)
        except BaseException:
            self._places.release()
            raise
        # The place is free when the thread is, not when the caller has gone: whoever calls and hangs up, again and
        # again, would else fill the executor with work that nobody waits for any more.
        loop = asyncio.get_running_loop()
        running.add_done_callback(lambda _: self._free_place(loop))
        return await asyncio.wrap_future(running)

    def _free_place(self, loop: asyncio.AbstractEventLoop) -> None:
        with suppress(RuntimeError):  # the loop is closed: the process ends
            loop.call_soon_threadsafe(self._places.release)
