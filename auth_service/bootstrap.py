"""Wiring of the use cases to a database, a password hasher and a signer."""

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial

import argon2

from auth_service.composition import create_use_cases
from auth_service.crypto.cipher import KeyCipher
from auth_service.crypto.passwords import Argon2PasswordHasher
from auth_service.crypto.signer import Ed25519Signer
from auth_service.persistence.unit_of_work import SqlAuthReadSession, SqlAuthUnitOfWork
from auth_service.settings import AuthSettings
from auth_service.usecases.use_cases import UseCases
from chassis.database.fair_pool import Connections
from chassis.database.pool import Pool, open_pool


@asynccontextmanager
async def open_use_cases(settings: AuthSettings) -> AsyncIterator[UseCases]:
    """Yield the use cases for an operator's command, on a pool of their own. No switch restricts them."""
    async with (
        open_service_pool(settings) as pool,
        connect_use_cases(settings, reads=pool, writes=pool) as use_cases,
    ):
        yield use_cases


def open_service_pool(settings: AuthSettings) -> AbstractAsyncContextManager[Pool]:
    """Open the connection pool of a process."""
    return open_pool(
        settings.database_url.get_secret_value(),
        name="auth_service",
        size=settings.database_pool_size,
        prepared_statements=settings.database_prepared_statements,
    )


@asynccontextmanager
async def connect_use_cases(
    settings: AuthSettings, *, reads: Connections, writes: Connections
) -> AsyncIterator[UseCases]:
    """Yield the use cases on these connections, with hashing threads of their own."""
    threads = ThreadPoolExecutor(settings.hash_concurrency, thread_name_prefix="argon2")
    hasher = Argon2PasswordHasher(
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
    try:
        yield create_use_cases(
            settings,
            read=partial(SqlAuthReadSession, reads),
            begin=partial(SqlAuthUnitOfWork, writes),
            signer=Ed25519Signer(KeyCipher(settings.encryption_key)),
            hasher=hasher,
        )
    finally:
        threads.shutdown(wait=False, cancel_futures=True)
