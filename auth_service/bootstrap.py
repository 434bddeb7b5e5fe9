"""The only module that names concrete classes of all rooms, and puts them together."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial

import argon2
import psycopg
import structlog
from taskmanager.auth.v1 import (
    auth_service_pb2,
    auth_service_pb2_grpc,
    security_event_service_pb2,
    security_event_service_pb2_grpc,
    service_account_service_pb2,
    service_account_service_pb2_grpc,
    user_service_pb2,
    user_service_pb2_grpc,
)
from taskmanager.trust.v1 import trust_service_pb2, trust_service_pb2_grpc

from auth_service.crypto.cipher import KeyCipher
from auth_service.crypto.passwords import Argon2PasswordHasher
from auth_service.crypto.signer import Ed25519Signer
from auth_service.persistence.unit_of_work import SqlAuthReading, SqlAuthUnitOfWork
from auth_service.settings import AuthSettings
from auth_service.transport.auth_servicer import AuthServicer
from auth_service.transport.security_event_servicer import SecurityEventServicer
from auth_service.transport.service_account_servicer import ServiceAccountServicer
from auth_service.transport.status import STATUS
from auth_service.transport.translate import trust_state_to_proto
from auth_service.transport.trust_servicer import TrustServicer
from auth_service.transport.user_servicer import UserServicer
from auth_service.usecases.keys import EnsureSigningKey
from auth_service.usecases.trust import GetTrustState
from auth_service.wiring import UseCases, wire
from chassis import metrics
from chassis.database.pool import open_pool
from chassis.kernel.errors import Unavailable
from chassis.lifecycle import run_in_background
from chassis.lifecycle import run_periodically
from chassis.limits.rate_limit import AddressRateLimiter
from chassis.rpc.access import public_methods
from chassis.limits.rate_limit_interceptor import RateLimitInterceptor
from chassis.limits.load_shed import DEFAULT_CAPACITY
from chassis.rpc.server import GrpcServer, Registration
from chassis.rpc.trust import Fetch, TrustPoller, TrustState
from chassis.tls.reloader import CertificateReloader
from chassis.tokens import TokenVerifier

RETRY_SECONDS = 1.0
SWEEP_SECONDS = 60.0

log = structlog.get_logger("bootstrap")


@dataclass(frozen=True, slots=True)
class Serving:
    """A server that listens. `ready` is set once it also answers."""

    port: int
    ready: asyncio.Event


@asynccontextmanager
async def assembled(settings: AuthSettings) -> AsyncIterator[UseCases]:
    """The use cases, on a database pool and hashing threads of their own."""
    url = settings.database_url.get_secret_value()
    threads = ThreadPoolExecutor(settings.hash_concurrency, thread_name_prefix="argon2")
    try:
        async with open_pool(url, name="auth_service", size=settings.database_pool_size) as pool:
            yield wire(
                settings,
                read=partial(SqlAuthReading, pool),
                begin=partial(SqlAuthUnitOfWork, pool),
                signer=Ed25519Signer(KeyCipher(settings.encryption_key)),
                hasher=_hasher(settings, threads),
            )
    finally:
        threads.shutdown(wait=False, cancel_futures=True)


@asynccontextmanager
async def serving(settings: AuthSettings) -> AsyncIterator[Serving]:
    """The service, listening; it becomes ready by itself when the database answers and a signing key is there.

    Raises:
        PortTaken: the address can't be listened on.
        WrongEncryptionKey: the signing keys can't be opened (in a group, when it shows only later).

    """
    async with assembled(settings) as use_cases:
        state = TrustState()
        poller = TrustPoller(state=state, fetch=_fetch_from(use_cases.get_trust_state))
        registrations = _registrations(use_cases)
        server = GrpcServer(
            listen=settings.listen,
            registrations=registrations,
            interceptors=[
                RateLimitInterceptor(
                    limiter=AddressRateLimiter(per_minute=settings.public_calls_per_minute, storage_url="memory://"),
                    methods=public_methods(registration.descriptor for registration in registrations),
                    trusted=settings.trusted_peers,
                )
            ],
            verifier=TokenVerifier(trust=state, issuer=settings.token_issuer, audience=settings.token_audience),
            status=STATUS,
            with_reflection=settings.reflection,
            drain_seconds=settings.drain_seconds,
            certificates=CertificateReloader.from_files(settings.tls),
            capacity=replace(DEFAULT_CAPACITY, calls=settings.max_concurrent_calls),
        )
        ready = asyncio.Event()
        await server.start()
        metrics.expose(settings.metrics_listen)
        try:
            becoming_ready = _become_ready(use_cases.ensure_signing_key, poller, server, ready)
            sweeps = (_sweep(ready, work) for work in (use_cases.sweep_expired, use_cases.forget_old_events))
            async with run_in_background(becoming_ready, *sweeps):
                yield Serving(port=server.port, ready=ready)
        finally:
            await server.stop()


async def _become_ready(
    ensure_signing_key: EnsureSigningKey, poller: TrustPoller, server: GrpcServer, ready: asyncio.Event
) -> None:
    """Waits for the database and its schema, then welcomes calls and keeps the trust state fresh."""
    while not poller.first_answer.is_set():
        try:
            await ensure_signing_key()
        except (Unavailable, psycopg.errors.UndefinedTable) as error:
            log.warning("waiting for a database that is migrated", error=str(error))
            await asyncio.sleep(RETRY_SECONDS)
        else:
            await poller.poll()
    await server.ready()
    ready.set()
    await poller.run()


async def _sweep(ready: asyncio.Event, work: Callable[[], Awaitable[int]]) -> None:
    await ready.wait()
    await run_periodically(work, every=SWEEP_SECONDS)


def _fetch_from(get_trust_state: GetTrustState) -> Fetch:
    """The trust state without a call: this service is the one that would answer it."""

    async def fetch(cursor: str) -> trust_service_pb2.TrustState:
        return trust_state_to_proto(await get_trust_state(cursor))

    return fetch


def _hasher(settings: AuthSettings, threads: Executor) -> Argon2PasswordHasher:
    return Argon2PasswordHasher(
        argon2=argon2.PasswordHasher(
            time_cost=settings.argon2_time_cost,
            memory_cost=settings.argon2_memory_kib,
            parallelism=settings.argon2_parallelism,
        ),
        executor=threads,
        concurrency=settings.hash_concurrency,
        wait_seconds=settings.hash_wait_seconds,
    )


def _registrations(use_cases: UseCases) -> Sequence[Registration]:
    return (
        Registration(
            auth_service_pb2.DESCRIPTOR.services_by_name["AuthService"],
            auth_service_pb2_grpc.add_AuthServiceServicer_to_server,
            AuthServicer(
                register=use_cases.register,
                log_in=use_cases.log_in,
                refresh_session=use_cases.refresh_session,
                log_out=use_cases.log_out,
                redeem_reset_code=use_cases.redeem_reset_code,
                issue_service_token=use_cases.issue_service_token,
                get_public_keys=use_cases.get_public_keys,
            ),
        ),
        Registration(
            user_service_pb2.DESCRIPTOR.services_by_name["UserService"],
            user_service_pb2_grpc.add_UserServiceServicer_to_server,
            UserServicer(
                get_current_user=use_cases.get_current_user,
                resolve_user=use_cases.resolve_user,
                change_password=use_cases.change_password,
                list_sessions=use_cases.list_sessions,
                revoke_session=use_cases.revoke_session,
                update_current_user=use_cases.update_current_user,
                delete_current_user=use_cases.delete_current_user,
                list_users=use_cases.list_users,
                get_user=use_cases.get_user,
                get_user_names=use_cases.get_user_names,
                get_user_ids=use_cases.get_user_ids,
                look_up_users=use_cases.look_up_users,
                update_user=use_cases.update_user,
                issue_reset_code=use_cases.issue_reset_code,
            ),
        ),
        Registration(
            service_account_service_pb2.DESCRIPTOR.services_by_name["ServiceAccountService"],
            service_account_service_pb2_grpc.add_ServiceAccountServiceServicer_to_server,
            ServiceAccountServicer(
                list_service_accounts=use_cases.list_service_accounts,
                create_service_account=use_cases.create_service_account,
                rotate_service_account=use_cases.rotate_service_account,
                switch_service_account=use_cases.switch_service_account,
            ),
        ),
        Registration(
            security_event_service_pb2.DESCRIPTOR.services_by_name["SecurityEventService"],
            security_event_service_pb2_grpc.add_SecurityEventServiceServicer_to_server,
            SecurityEventServicer(list_security_events=use_cases.list_security_events),
        ),
        Registration(
            trust_service_pb2.DESCRIPTOR.services_by_name["TrustService"],
            trust_service_pb2_grpc.add_TrustServiceServicer_to_server,
            TrustServicer(get_trust_state=use_cases.get_trust_state),
        ),
    )
