"""Resources that a process of the service opens: its connection pool and its hashing threads."""

from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import argon2

from auth_service.crypto.passwords import Argon2PasswordHasher
from auth_service.settings import AuthSettings
from chassis.database.pool import Pool, open_pool


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """Open resources of a process."""

    pool: Pool
    hasher: Argon2PasswordHasher


@asynccontextmanager
async def open_resources(settings: AuthSettings) -> AsyncIterator[Resources]:
    """Open the resources for the context."""
    async with open_pool(
        settings.database_url.get_secret_value(),
        name="auth_service",
        size=settings.database_pool_size,
        prepared_statements=settings.database_prepared_statements,
    ) as pool:
        with _hashing_threads(settings.hash_concurrency) as threads:
            yield Resources(pool=pool, hasher=_create_hasher(settings, threads))


@contextmanager
def _hashing_threads(number: int) -> Iterator[Executor]:
    threads = ThreadPoolExecutor(number, thread_name_prefix="argon2")
    try:
        yield threads
    finally:
        threads.shutdown(wait=False, cancel_futures=True)


def _create_hasher(settings: AuthSettings, threads: Executor) -> Argon2PasswordHasher:
    return Argon2PasswordHasher(
        argon2=argon2.PasswordHasher(
            time_cost=settings.argon2_time_cost,
            memory_cost=settings.argon2_memory_kib,
            parallelism=settings.argon2_parallelism,
        ),
        executor=threads,
        concurrency=settings.hash_concurrency,
        max_per_account=settings.max_hashes_per_account,
        wait_seconds=settings.hash_wait_seconds,
    )
