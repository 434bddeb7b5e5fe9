"""Wiring of the use cases to resources."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial

from uuid_utils.compat import uuid7

from auth_service.crypto.cipher import KeyCipher
from auth_service.crypto.signer import Ed25519Signer
from auth_service.persistence.unit_of_work import SqlAuthReadSession, SqlAuthUnitOfWork
from auth_service.resources import open_resources
from auth_service.settings import AuthSettings
from auth_service.usecases import (
    cleanup,
    current_user,
    login,
    password_reset,
    passwords,
    personal_tokens,
    registration,
    security_events,
    service_accounts,
    service_tokens,
    sessions,
    signing_keys,
    trust,
    user_administration,
    users,
)
from auth_service.usecases.account_concurrency import AccountConcurrencyLimit
from auth_service.usecases.login_throttle import LoginThrottle
from auth_service.usecases.ports import PasswordHasher
from auth_service.usecases.reauthentication import Reauthenticate
from auth_service.usecases.security_events import SecurityEventRecorder
from auth_service.usecases.session_issuer import SessionIssuer
from auth_service.usecases.token_issuer import TokenIssuer
from auth_service.usecases.use_cases import (
    AuthUseCases,
    OperatorUseCases,
    ServiceAccountUseCases,
    TokenUseCases,
    UseCases,
    UserUseCases,
)
from chassis.database.fair_pool import Connections
from chassis.kernel.clock import utc_now
from chassis.rpc.request_context import request_id
from chassis.tokens import LEEWAY_SECONDS, MAX_LIFETIME_SECONDS

MAX_TOKEN_LIFETIME = timedelta(seconds=MAX_LIFETIME_SECONDS + LEEWAY_SECONDS)
"""Longest time for which any verifier accepts a token.

This process's own setting is not enough: another process may issue tokens with a longer lifetime.
"""


@asynccontextmanager
async def open_use_cases(settings: AuthSettings) -> AsyncIterator[UseCases]:
    """Yield the use cases for an operator's command, with resources of their own. No switch restricts them."""
    async with open_resources(settings) as resources:
        yield create_use_cases(settings, reads=resources.pool, writes=resources.pool, hasher=resources.hasher)


def create_use_cases(
    settings: AuthSettings, *, reads: Connections, writes: Connections, hasher: PasswordHasher
) -> UseCases:
    """Build the use cases on these connections."""
    read = partial(SqlAuthReadSession, reads)
    begin = partial(SqlAuthUnitOfWork, writes)
    rules = settings.password_rules
    signer = Ed25519Signer(KeyCipher(settings.encryption_key))
    events = SecurityEventRecorder(now=utc_now, new_id=uuid7, request_id=request_id)
    tokens = TokenIssuer(policy=settings.access_token_policy, signer=signer, now=utc_now, new_id=uuid7)
    session_issuer = SessionIssuer(
        tokens=tokens,
        policy=settings.session_policy,
        revocation_lifetime=MAX_TOKEN_LIFETIME,
        now=utc_now,
        new_id=uuid7,
        randomness=os.urandom,
    )
    throttle = LoginThrottle(
        begin=begin,
        per_account=settings.account_login_limit,
        overall=settings.overall_login_limit,
        concurrency=AccountConcurrencyLimit(
            max_concurrent=settings.max_hashes_per_account, wait_seconds=settings.hash_wait_seconds
        ),
        events=events,
    )
    reauthenticate = Reauthenticate(begin=begin, hasher=hasher, throttle=throttle, events=events)
    revoker = personal_tokens.PersonalTokenRevoker(events=events, revocation_lifetime=MAX_TOKEN_LIFETIME, now=utc_now)
    return UseCases(
        auth=AuthUseCases(
            register=registration.Register(
                begin=begin, hasher=hasher, rules=rules, events=events, now=utc_now, new_id=uuid7
            ),
            log_in=login.LogIn(
                read=read,
                begin=begin,
                hasher=hasher,
                throttle=throttle,
                session_issuer=session_issuer,
                events=events,
            ),
            refresh_session=sessions.RefreshSession(
                begin=begin, session_issuer=session_issuer, events=events, now=utc_now
            ),
            log_out=sessions.LogOut(begin=begin, session_issuer=session_issuer, events=events),
            redeem_reset_code=password_reset.RedeemResetCode(
                read=read,
                begin=begin,
                hasher=hasher,
                rules=rules,
                session_issuer=session_issuer,
                events=events,
                now=utc_now,
            ),
            issue_service_token=service_tokens.IssueServiceToken(read=read, begin=begin, tokens=tokens, events=events),
            get_public_keys=signing_keys.GetPublicKeys(read=read, now=utc_now),
        ),
        users=UserUseCases(
            get_current_user=current_user.GetCurrentUser(read=read),
            update_current_user=current_user.UpdateCurrentUser(
                read=read,
                begin=begin,
                reauthenticate=reauthenticate,
                session_issuer=session_issuer,
                events=events,
                now=utc_now,
            ),
            delete_current_user=current_user.DeleteCurrentUser(
                begin=begin, session_issuer=session_issuer, events=events, now=utc_now
            ),
            change_password=passwords.ChangePassword(
                read=read,
                begin=begin,
                hasher=hasher,
                rules=rules,
                reauthenticate=reauthenticate,
                session_issuer=session_issuer,
                events=events,
                now=utc_now,
            ),
            list_sessions=sessions.ListSessions(read=read, now=utc_now),
            revoke_session=sessions.RevokeSession(
                begin=begin, session_issuer=session_issuer, events=events, now=utc_now
            ),
            list_users=users.ListUsers(read=read),
            get_user=users.GetUser(read=read),
            resolve_user=users.ResolveUser(read=read),
            lookup_users=users.LookupUsers(read=read),
            batch_get_user_names=users.BatchGetUserNames(read=read),
            batch_get_user_ids=users.BatchGetUserIds(read=read),
            update_user=user_administration.UpdateUser(
                begin=begin, session_issuer=session_issuer, events=events, now=utc_now
            ),
            issue_reset_code=password_reset.IssueResetCode(
                begin=begin,
                events=events,
                lifetime=settings.reset_code_lifetime,
                now=utc_now,
                randomness=os.urandom,
            ),
        ),
        tokens=TokenUseCases(
            create_personal_token=personal_tokens.CreatePersonalToken(
                begin=begin, events=events, now=utc_now, new_id=uuid7, randomness=os.urandom
            ),
            list_personal_tokens=personal_tokens.ListPersonalTokens(read=read, now=utc_now),
            revoke_personal_token=personal_tokens.RevokePersonalToken(begin=begin, revoker=revoker, now=utc_now),
            list_personal_tokens_of_user=personal_tokens.ListPersonalTokensOfUser(read=read, now=utc_now),
            revoke_personal_token_of_user=personal_tokens.RevokePersonalTokenOfUser(
                begin=begin, revoker=revoker, now=utc_now
            ),
            exchange_personal_token=personal_tokens.ExchangePersonalToken(
                begin=begin, tokens=tokens, events=events, now=utc_now
            ),
        ),
        service_accounts=ServiceAccountUseCases(
            list_service_accounts=service_accounts.ListServiceAccounts(read=read),
            create_service_account=service_accounts.CreateServiceAccount(
                begin=begin, events=events, now=utc_now, new_id=uuid7, randomness=os.urandom
            ),
            rotate_service_account=service_accounts.RotateServiceAccount(
                begin=begin, session_issuer=session_issuer, events=events, now=utc_now, randomness=os.urandom
            ),
            set_service_account_disabled=service_accounts.SetServiceAccountDisabled(
                begin=begin, session_issuer=session_issuer, events=events, now=utc_now
            ),
        ),
        operators=OperatorUseCases(
            create_admin=registration.CreateAdmin(
                read=read,
                begin=begin,
                hasher=hasher,
                rules=rules,
                events=events,
                now=utc_now,
                new_id=uuid7,
            ),
            ensure_service_account=service_accounts.EnsureServiceAccount(
                begin=begin, session_issuer=session_issuer, events=events, now=utc_now, new_id=uuid7
            ),
            ensure_signing_key=signing_keys.EnsureSigningKey(read=read, begin=begin, signer=signer, now=utc_now),
            rotate_signing_key=signing_keys.RotateSigningKey(
                begin=begin,
                signer=signer,
                events=events,
                publication_time=settings.key_publication_time,
                max_token_lifetime=MAX_TOKEN_LIFETIME,
                now=utc_now,
            ),
            delete_expired_records=cleanup.DeleteExpiredRecords(begin=begin, now=utc_now),
            delete_expired_events=cleanup.DeleteExpiredEvents(
                begin=begin, retention=settings.security_event_retention, now=utc_now
            ),
        ),
        list_security_events=security_events.ListSecurityEvents(read=read),
        get_trust_state=trust.GetTrustState(read=read, now=utc_now),
    )
