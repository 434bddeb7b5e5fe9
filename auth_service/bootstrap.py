"""The only module that names concrete classes of all rooms, and puts them together."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
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
from uuid_utils.compat import uuid7

from auth_service.crypto.cipher import KeyCipher
from auth_service.crypto.passwords import Argon2PasswordHasher
from auth_service.crypto.signer import Ed25519Signer
from auth_service.domain.passwords import PasswordRules
from auth_service.domain.sessions import SessionTerms
from auth_service.domain.throttling import Allowance
from auth_service.domain.tokens import TokenTerms
from auth_service.persistence.unit_of_work import SqlAuthReading, SqlAuthUnitOfWork
from auth_service.settings import AuthSettings
from auth_service.transport.auth_servicer import AuthServicer
from auth_service.transport.security_event_servicer import SecurityEventServicer
from auth_service.transport.service_account_servicer import ServiceAccountServicer
from auth_service.transport.status import STATUS
from auth_service.transport.translate import trust_state_to_proto
from auth_service.transport.trust_servicer import TrustServicer
from auth_service.transport.user_servicer import UserServicer
from auth_service.usecases.accounts import CreateAdmin, GetCurrentUser, Register, ResolveUser
from auth_service.usecases.events import EventLog, ListSecurityEvents
from auth_service.usecases.keys import EnsureSigningKey, GetPublicKeys, RotateKeys
from auth_service.usecases.login import LogIn
from auth_service.usecases.own_account import DeleteCurrentUser, UpdateCurrentUser
from auth_service.usecases.passwords import ChangePassword, RedeemResetCode
from auth_service.usecases.proof import PasswordProof
from auth_service.usecases.service_accounts import (
    CreateServiceAccount,
    EnsureServiceAccount,
    IssueServiceToken,
    ListServiceAccounts,
    RotateServiceAccount,
    SwitchServiceAccount,
)
from auth_service.usecases.session_keeping import SessionKeeper
from auth_service.usecases.sessions import ListSessions, LogOut, RefreshSession, RevokeSession
from auth_service.usecases.sweep import ForgetOldEvents, SweepExpired
from auth_service.usecases.throttle import LoginThrottle
from auth_service.usecases.tokens import TokenIssuer
from auth_service.usecases.trust import GetTrustState
from auth_service.usecases.users import GetUser, IssueResetCode, ListUsers, LookUpUsers, UpdateUser
from chassis import metrics
from chassis.database.pool import Pool, open_pool
from chassis.kernel import Unavailable
from chassis.lifecycle import background
from chassis.limiting import AddressLimiter
from chassis.rpc.access import public_methods
from chassis.rpc.address_limit import AddressLimitInterceptor
from chassis.rpc.load_shed import USUAL
from chassis.rpc.request_context import request_id
from chassis.rpc.server import GrpcServer, Registration
from chassis.rpc.trust import Fetch, TrustPoller, TrustState
from chassis.tls import Certificates
from chassis.tokens import LEEWAY, MAXIMUM_LIFETIME, TokenVerifier

RETRY_SECONDS = 1.0
SWEEP_SECONDS = 60.0
OVERALL_BURST_SECONDS = 10
"""How many seconds' worth of logins may come at once: people do come back from lunch together."""

# As long as any verifier could believe a token, whatever this process's settings say: others may have had longer ones.
REMEMBERED_FOR = timedelta(seconds=MAXIMUM_LIFETIME + LEEWAY)

log = structlog.get_logger("bootstrap")


@dataclass(frozen=True, slots=True)
class UseCases:
    """Everything this context can do, ready to be called."""

    register: Register
    create_admin: CreateAdmin
    get_current_user: GetCurrentUser
    resolve_user: ResolveUser
    log_in: LogIn
    refresh_session: RefreshSession
    log_out: LogOut
    list_sessions: ListSessions
    revoke_session: RevokeSession
    change_password: ChangePassword
    redeem_reset_code: RedeemResetCode
    update_current_user: UpdateCurrentUser
    delete_current_user: DeleteCurrentUser
    list_users: ListUsers
    get_user: GetUser
    look_up_users: LookUpUsers
    update_user: UpdateUser
    issue_reset_code: IssueResetCode
    sweep_expired: SweepExpired
    forget_old_events: ForgetOldEvents
    list_security_events: ListSecurityEvents
    list_service_accounts: ListServiceAccounts
    create_service_account: CreateServiceAccount
    rotate_service_account: RotateServiceAccount
    switch_service_account: SwitchServiceAccount
    ensure_service_account: EnsureServiceAccount
    issue_service_token: IssueServiceToken
    ensure_signing_key: EnsureSigningKey
    rotate_keys: RotateKeys
    get_public_keys: GetPublicKeys
    get_trust_state: GetTrustState


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
            yield _assemble(settings, pool, threads)
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
                AddressLimitInterceptor(
                    limiter=AddressLimiter(per_minute=settings.public_calls_per_minute, storage_url="memory://"),
                    methods=public_methods(registration.descriptor for registration in registrations),
                    trusted=settings.trusted_peers,
                )
            ],
            verifier=TokenVerifier(trust=state, issuer=settings.token_issuer, audience=settings.token_audience),
            status=STATUS,
            with_reflection=settings.reflection,
            drain_seconds=settings.drain_seconds,
            certificates=Certificates.of(settings.tls),
            capacity=replace(USUAL, calls=settings.calls_at_once),
        )
        ready = asyncio.Event()
        await server.start()
        metrics.expose(settings.metrics_listen)
        try:
            becoming_ready = _become_ready(use_cases.ensure_signing_key, poller, server, ready)
            sweeping = _sweep(ready, use_cases.sweep_expired, use_cases.forget_old_events)
            async with background(becoming_ready, sweeping):
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


async def _sweep(ready: asyncio.Event, *sweeps: Callable[[], Awaitable[int]]) -> None:
    """Sweeps now and then; a database that is away is swept at the next turn."""
    await ready.wait()
    while True:
        for sweep in sweeps:
            try:
                await sweep()
            except Unavailable:
                log.warning("the database is away", work=type(sweep).__name__)
        await asyncio.sleep(SWEEP_SECONDS)


def _fetch_from(get_trust_state: GetTrustState) -> Fetch:
    """The trust state without a call: this service is the one that would answer it."""

    async def fetch(cursor: str) -> trust_service_pb2.TrustState:
        return trust_state_to_proto(await get_trust_state(cursor))

    return fetch


def _now() -> datetime:
    return datetime.now(UTC)


def _assemble(settings: AuthSettings, pool: Pool, threads: Executor) -> UseCases:
    read, begin = partial(SqlAuthReading, pool), partial(SqlAuthUnitOfWork, pool)
    signer = Ed25519Signer(KeyCipher(settings.encryption_key))
    rules = PasswordRules(least_characters=settings.password_min_length, use_blocklist=settings.password_blocklist)
    hasher = Argon2PasswordHasher(
        argon2=argon2.PasswordHasher(
            time_cost=settings.argon2_time_cost,
            memory_cost=settings.argon2_memory_kib,
            parallelism=settings.argon2_parallelism,
        ),
        executor=threads,
        concurrency=settings.hash_concurrency,
        wait_seconds=settings.hash_wait_seconds,
    )
    terms = TokenTerms(
        issuer=settings.token_issuer,
        audience=settings.token_audience,
        lifetime=timedelta(seconds=settings.access_token_seconds),
    )
    tokens = TokenIssuer(terms=terms, signer=signer, now=_now, new_id=uuid7)
    keeper = SessionKeeper(
        tokens=tokens,
        terms=SessionTerms(
            lifetime=timedelta(seconds=settings.session_seconds), idle=timedelta(seconds=settings.session_idle_seconds)
        ),
        remembered_for=REMEMBERED_FOR,
        now=_now,
        new_id=uuid7,
        randomness=os.urandom,
    )
    events = EventLog(now=_now, new_id=uuid7, request_id=request_id)
    throttle = LoginThrottle(
        begin=begin,
        per_account=Allowance(settings.login_attempts, timedelta(seconds=settings.login_attempt_seconds)),
        overall=Allowance(
            settings.logins_per_second * OVERALL_BURST_SECONDS, timedelta(seconds=1) / settings.logins_per_second
        ),
        events=events,
    )
    proof = PasswordProof(begin=begin, hasher=hasher, throttle=throttle, events=events)
    return UseCases(
        register=Register(begin=begin, hasher=hasher, rules=rules, events=events, now=_now, new_id=uuid7),
        create_admin=CreateAdmin(begin=begin, hasher=hasher, rules=rules, events=events, now=_now, new_id=uuid7),
        get_current_user=GetCurrentUser(read=read),
        resolve_user=ResolveUser(read=read),
        log_in=LogIn(read=read, begin=begin, hasher=hasher, throttle=throttle, keeper=keeper, events=events),
        refresh_session=RefreshSession(begin=begin, keeper=keeper, events=events, now=_now),
        log_out=LogOut(begin=begin, keeper=keeper, events=events, now=_now),
        list_sessions=ListSessions(read=read, now=_now),
        revoke_session=RevokeSession(begin=begin, keeper=keeper, events=events, now=_now),
        change_password=ChangePassword(
            read=read,
            begin=begin,
            hasher=hasher,
            rules=rules,
            proof=proof,
            keeper=keeper,
            events=events,
            now=_now,
        ),
        redeem_reset_code=RedeemResetCode(
            read=read, begin=begin, hasher=hasher, rules=rules, keeper=keeper, events=events, now=_now
        ),
        update_current_user=UpdateCurrentUser(read=read, begin=begin, proof=proof, events=events),
        delete_current_user=DeleteCurrentUser(begin=begin, keeper=keeper, events=events, now=_now),
        list_users=ListUsers(read=read),
        get_user=GetUser(read=read),
        look_up_users=LookUpUsers(read=read),
        update_user=UpdateUser(begin=begin, keeper=keeper, events=events, now=_now),
        issue_reset_code=IssueResetCode(
            begin=begin,
            events=events,
            lifetime=timedelta(seconds=settings.reset_code_seconds),
            now=_now,
            randomness=os.urandom,
        ),
        sweep_expired=SweepExpired(begin=begin, now=_now),
        forget_old_events=ForgetOldEvents(begin=begin, kept_for=timedelta(days=settings.security_event_days), now=_now),
        list_security_events=ListSecurityEvents(read=read),
        list_service_accounts=ListServiceAccounts(read=read),
        create_service_account=CreateServiceAccount(
            begin=begin, events=events, now=_now, new_id=uuid7, randomness=os.urandom
        ),
        rotate_service_account=RotateServiceAccount(begin=begin, keeper=keeper, events=events, randomness=os.urandom),
        switch_service_account=SwitchServiceAccount(begin=begin, keeper=keeper, events=events),
        ensure_service_account=EnsureServiceAccount(begin=begin, keeper=keeper, now=_now, new_id=uuid7),
        issue_service_token=IssueServiceToken(read=read, begin=begin, tokens=tokens, events=events),
        ensure_signing_key=EnsureSigningKey(begin=begin, signer=signer, now=_now),
        rotate_keys=RotateKeys(
            begin=begin,
            signer=signer,
            events=events,
            published_for=timedelta(seconds=settings.key_published_seconds),
            believed_for=REMEMBERED_FOR,
            now=_now,
        ),
        get_public_keys=GetPublicKeys(read=read, now=_now),
        get_trust_state=GetTrustState(read=read, now=_now),
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
