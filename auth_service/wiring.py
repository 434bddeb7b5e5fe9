"""The use cases, each with what it needs."""

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from uuid_utils.compat import uuid7

from auth_service.domain.passwords import PasswordRules
from auth_service.domain.sessions import SessionTerms
from auth_service.domain.text import fold
from auth_service.domain.throttling import Allowance
from auth_service.domain.tokens import TokenTerms
from auth_service.settings import AuthSettings
from auth_service.usecases.accounts import CreateAdmin, GetCurrentUser, Register, ResolveUser
from auth_service.usecases.events import EventLog, ListSecurityEvents
from auth_service.usecases.keys import EnsureSigningKey, GetPublicKeys, RotateKeys
from auth_service.usecases.login import LogIn
from auth_service.usecases.own_account import DeleteCurrentUser, UpdateCurrentUser
from auth_service.usecases.passwords import ChangePassword, RedeemResetCode
from auth_service.usecases.ports import Begin, PasswordHasher, Read
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
from auth_service.usecases.token_ports import Signer
from auth_service.usecases.tokens import TokenIssuer
from auth_service.usecases.trust import GetTrustState
from auth_service.usecases.users import (
    GetUser,
    GetUserIds,
    GetUserNames,
    IssueResetCode,
    ListUsers,
    LookUpUsers,
    UpdateUser,
)
from chassis.rpc.request_context import request_id
from chassis.tokens import LEEWAY_SECONDS
from chassis.tokens import MAX_LIFETIME_SECONDS

OVERALL_BURST_SECONDS = 10
"""How many seconds' worth of logins may come at once: people do come back from lunch together."""

# As long as any verifier could believe a token, whatever this process's settings say: others may have had longer ones.
REMEMBERED_FOR = timedelta(seconds=MAX_LIFETIME_SECONDS + LEEWAY_SECONDS)


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
    get_user_names: GetUserNames
    get_user_ids: GetUserIds
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


def _now() -> datetime:
    return datetime.now(UTC)


def wire(settings: AuthSettings, *, read: Read, begin: Begin, signer: Signer, hasher: PasswordHasher) -> UseCases:
    """The use cases as the settings want them, on what bootstrap made."""
    rules = PasswordRules(
        least_characters=settings.password_min_length,
        use_blocklist=settings.password_blocklist,
        blocked=frozenset(map(fold, settings.blocked_passwords)),
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
        get_user_names=GetUserNames(read=read),
        get_user_ids=GetUserIds(read=read),
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
        ensure_service_account=EnsureServiceAccount(begin=begin, keeper=keeper, events=events, now=_now, new_id=uuid7),
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
