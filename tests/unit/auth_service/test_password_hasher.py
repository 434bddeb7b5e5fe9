"""How many passwords are hashed at once, whatever callers do."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import argon2
import pytest

from auth_service.crypto.passwords import Argon2PasswordHasher
from auth_service.domain.errors import PasswordChecksBusy


class SlowArgon2:
    """Hashes when it is told to, and counts how many it was asked for."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.go_on.set()
        self.begun = threading.Semaphore(0)
        self.asked = 0

    def hash(self, password: str) -> str:
        self.asked += 1
        self.begun.release()
        assert self.go_on.wait(10)
        return f"hash of {password}"


@pytest.fixture
def slow():
    return SlowArgon2()


@pytest.fixture
def hasher(slow):
    with ThreadPoolExecutor(1) as threads:
        yield Argon2PasswordHasher(
            argon2=cast(argon2.PasswordHasher, cast(Any, slow)), executor=threads, concurrency=1, wait_seconds=0.1
        )
        slow.go_on.set()


async def test_callers_who_hang_up_leave_no_work_behind_and_take_nobodys_place(slow, hasher):
    made = slow.asked  # the one for nobody
    slow.begun.acquire()
    slow.go_on.clear()
    first = asyncio.create_task(hasher.hash("first"))
    await asyncio.to_thread(slow.begun.acquire)
    first.cancel()
    # Its thread is still busy, so the next ones wait and are sent away, instead of piling up behind it.
    for _ in range(3):
        with pytest.raises(PasswordChecksBusy):
            await hasher.hash("next")
    assert slow.asked == made + 1
    slow.go_on.set()
    async with asyncio.timeout(10):
        while True:
            try:
                assert await hasher.hash("last") == "hash of last"
            except PasswordChecksBusy:
                continue
            break
    assert slow.asked == made + 2
