"""Wiring of the service: with use_case_wiring, the only module that names concrete classes of every layer."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial

import argon2

from auth_service.background_tasks import become_ready, clean_up, trust_state_fetcher
from auth_service.crypto.cipher import KeyCipher
from auth_service.crypto.passwords import Argon2PasswordHasher
from auth_service.crypto.signer import Ed25519Signer
from auth_service.persistence.unit_of_work import SqlAuthReadSession, SqlAuthUnitOfWork
from auth_service.settings import AuthSettings
from auth_service.transport.registrations import create_registrations
from auth_service.transport.status import STATUS
from auth_service.use_case_wiring import create_use_cases
from auth_service.usecases.use_cases import UseCases
from chassis import metrics
from chassis.database.pool import open_pool
from chassis.lifecycle import run_in_background
from chassis.limits.load_shed import DEFAULT_CAPACITY
from chassis.limits.rate_limit import AddressRateLimiter
from chassis.limits.rate_limit_interceptor import RateLimitInterceptor
from chassis.rpc.access import public_methods
from chassis.rpc.server import GrpcServer, Registration
from chassis.rpc.servers import GrpcServers
from chassis.rpc.trust import TrustPoller, TrustState
from chassis.tls.reloader import CertificateReloader
from chassis.tokens import TokenVerifier


@dataclass(frozen=True, slots=True)
class RunningServer:
    """Server that listens on its ports. `ready` is set when it also accepts calls."""

    port: int
    internal_port: int
    ready: asyncio.Event


@asynccontextmanager
async def run_server(settings: AuthSettings) -> AsyncIterator[RunningServer]:
    """Run the service. It becomes ready when the database responds and a signing key exists.

    Raises:
        PortTaken: the service cannot listen on the address.
        WrongEncryptionKey: the signing keys cannot be decrypted. It is raised in an exception group, because it only
            shows when the database responds.

    """
    async with open_use_cases(settings) as use_cases:
        state = TrustState()
        poller = TrustPoller(state=state, fetch=trust_state_fetcher(use_cases.get_trust_state))
        server = _create_servers(settings, create_registrations(use_cases), state)
        ready = asyncio.Event()
        await server.start()
        metrics.serve_metrics(settings.metrics_listen)
        try:
            async with run_in_background(
                become_ready(use_cases.ensure_signing_key, poller, server, ready),
                clean_up(ready, use_cases.delete_expired_records),
                clean_up(ready, use_cases.delete_expired_events),
            ):
                yield RunningServer(port=server.port, internal_port=server.internal_port, ready=ready)
        finally:
            await server.stop()


def _create_servers(settings: AuthSettings, registrations: Sequence[Registration], state: TrustState) -> GrpcServers:
    has_internal = settings.internal_listen is not None
    create = partial(
        GrpcServer,
        registrations=registrations,
        verifier=TokenVerifier(trust=state, issuer=settings.token_issuer, audience=settings.token_audience),
        status=STATUS,
        with_reflection=settings.reflection,
        drain_seconds=settings.drain_seconds,
        request_timeout_seconds=settings.request_timeout_seconds,
        certificates=CertificateReloader.from_files(settings.tls),
        capacity=replace(DEFAULT_CAPACITY, max_concurrent_calls=settings.max_concurrent_calls),
    )
    rate_limit = RateLimitInterceptor(
        limiter=AddressRateLimiter(per_minute=settings.public_calls_per_minute, storage_url="memory://"),
        methods=public_methods(registration.descriptor for registration in registrations),
        trusted=() if has_internal else settings.trusted_peers,
    )
    return GrpcServers(
        public=create(listen=settings.listen, interceptors=[rate_limit], with_internal_rpcs=not has_internal),
        internal=create(listen=settings.internal_listen) if settings.internal_listen else None,
    )


@asynccontextmanager
async def open_use_cases(settings: AuthSettings) -> AsyncIterator[UseCases]:
    """Yield the use cases, on a database pool and hashing threads of their own."""
    url = settings.database_url.get_secret_value()
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
        async with open_pool(url, name="auth_service", size=settings.database_pool_size) as pool:
            yield create_use_cases(
                settings,
                read=partial(SqlAuthReadSession, pool),
                begin=partial(SqlAuthUnitOfWork, pool),
                signer=Ed25519Signer(KeyCipher(settings.encryption_key)),
                hasher=hasher,
            )
    finally:
        threads.shutdown(wait=False, cancel_futures=True)
