"""Limit on concurrent password hashing."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import argon2
import pytest

from auth_service.crypto.passwords import Argon2PasswordHasher
from auth_service.domain.errors import PasswordChecksBusy


class SlowArgon2:
    """Hasher that blocks until `go_on` is set, for all passwords or one, and counts its calls."""

    def __init__(self, *, blocks: str | None = None) -> None:
        self._blocks = blocks
        self.go_on = threading.Event()
        self.go_on.set()
        self.begun = threading.Semaphore(0)
        self.calls = 0

    def hash(self, password: str) -> str:
        self.calls += 1
        self.begun.release()
        if self._blocks in (None, password):
            assert self.go_on.wait(10)
        return f"hash of {password}"


@pytest.fixture
def slow():
    return SlowArgon2()


@pytest.fixture
def hasher(slow):
    with ThreadPoolExecutor(1) as threads:
        yield Argon2PasswordHasher(
            argon2=cast(argon2.PasswordHasher, cast(Any, slow)),
            executor=threads,
            concurrency=1,
            max_per_account=1,
            wait_seconds=0.1,
        )
        slow.go_on.set()


async def test_cancelled_callers_keep_the_slot_until_done(slow, hasher):
    """A cancelled caller's slot is released when its thread is free. Later callers are rejected and queue no work."""
    initial_calls = slow.calls  # for the dummy hash
    slow.begun.acquire()
    slow.go_on.clear()
    first = asyncio.create_task(hasher.hash("first", account=b"first"))
    await asyncio.to_thread(slow.begun.acquire)
    first.cancel()
    # Its thread is still busy, so the next callers are rejected instead of filling the queue.
    for _ in range(3):
        with pytest.raises(PasswordChecksBusy):
            await hasher.hash("next", account=b"next")
    assert slow.calls == initial_calls + 1
    slow.go_on.set()
    async with asyncio.timeout(10):
        while True:
            try:
                assert await hasher.hash("last", account=b"last") == "hash of last"
            except PasswordChecksBusy:
                continue
            break
    assert slow.calls == initial_calls + 2


async def test_one_account_leaves_threads_to_others():
    """Other accounts get threads while one account floods, also if it cancels its calls and sends new ones."""
    slow = SlowArgon2(blocks="flood")
    with ThreadPoolExecutor(4) as threads:
        hasher = Argon2PasswordHasher(
            argon2=cast(argon2.PasswordHasher, cast(Any, slow)),
            executor=threads,
            concurrency=4,
            max_per_account=2,
            wait_seconds=10,
        )
        slow.begun.acquire()  # for the dummy hash
        slow.go_on.clear()
        try:
            flood = [asyncio.create_task(hasher.hash("flood", account=b"busy")) for _ in range(8)]
            for _ in range(2):
                await asyncio.to_thread(slow.begun.acquire)
            for call in flood[:4]:
                call.cancel()
            flood += [asyncio.create_task(hasher.hash("flood", account=b"busy")) for _ in range(8)]
            assert await hasher.hash("quick", account=b"quiet") == "hash of quick"
            assert slow.calls == 1 + 2 + 1
        finally:
            slow.go_on.set()
        await asyncio.gather(*flood, return_exceptions=True)
