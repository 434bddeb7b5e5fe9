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
    """Hasher that blocks until `go_on` is set, and counts its calls."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.go_on.set()
        self.begun = threading.Semaphore(0)
        self.calls = 0

    def hash(self, password: str) -> str:
        self.calls += 1
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


async def test_cancelled_callers_keep_the_slot_until_done(slow, hasher):
    """A cancelled caller's slot is released when its thread is free. Later callers are rejected and queue no work."""
    initial_calls = slow.calls  # for the dummy hash
    slow.begun.acquire()
    slow.go_on.clear()
    first = asyncio.create_task(hasher.hash("first"))
    await asyncio.to_thread(slow.begun.acquire)
    first.cancel()
    # Its thread is still busy, so the next callers are rejected instead of filling the queue.
    for _ in range(3):
        with pytest.raises(PasswordChecksBusy):
            await hasher.hash("next")
    assert slow.calls == initial_calls + 1
    slow.go_on.set()
    async with asyncio.timeout(10):
        while True:
            try:
                assert await hasher.hash("last") == "hash of last"
            except PasswordChecksBusy:
                continue
            break
    assert slow.calls == initial_calls + 2
