"""Creating, listing, ending and exchanging personal access tokens."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from auth_service.domain.access_tokens import AccessToken
from auth_service.domain.accounts import User
from auth_service.domain.errors import UserNotFound
from auth_service.domain.one_time_secrets import SECRET_BYTES
from auth_service.domain.personal_token_errors import (
    InvalidPersonalToken,
    PersonalTokenExpired,
    PersonalTokenNotFound,
    PersonalTokenRevoked,
    TooManyPersonalTokens,
)
from auth_service.domain.personal_tokens import (
    MAX_TOKENS_PER_USER,
    PersonalToken,
    PersonalTokenSecret,
    TokenRequest,
)
from auth_service.domain.rate_limits import RateLimit, personal_token_rejection_key
from auth_service.domain.security_events import SecurityEventKind
from auth_service.domain.trust import SessionRevoked
from auth_service.usecases.caller_rights import lock_active_admin, lock_active_caller
from auth_service.usecases.ports import AuthUnitOfWork, Begin, Randomness, Read
from auth_service.usecases.security_events import SecurityEventRecorder
from auth_service.usecases.token_issuer import TokenIssuer
from chassis.kernel.clock import Clock
from chassis.kernel.identity import Caller
from chassis.kernel.ids import NewId
from chassis.kernel.pagination import Page, PageRequest

REJECTION_LOG_LIMIT = RateLimit(burst=10, interval=timedelta(hours=1))
"""Limit on security events about rejected uses of one token. A script may go on for weeks after its token has ended."""


@dataclass(frozen=True, slots=True)
class CreatedPersonalToken:
    """Token and its secret. The secret cannot be read again later."""

    token: PersonalToken
    secret: PersonalTokenSecret = field(repr=False)


@dataclass(frozen=True, slots=True)
class CreatePersonalToken:
    """Create a personal access token for the caller."""

    begin: Begin
    events: SecurityEventRecorder
    now: Clock
    new_id: NewId
    randomness: Randomness

    async def __call__(self, caller: Caller, request: TokenRequest) -> CreatedPersonalToken:
        """Return the token and its secret.

        Raises:
            Invalid: at least one field is wrong; the error lists every wrong field.
            AccountGone: the account or the session ended or changed meanwhile.
            TooManyPersonalTokens: the caller has MAX_TOKENS_PER_USER active tokens.

        """
        now = self.now()
        token = request.create_token(token_id=self.new_id(), user_id=caller.id, now=now)
        created = CreatedPersonalToken(token, PersonalTokenSecret.generate(random_bytes=self.randomness(SECRET_BYTES)))
        async with self.begin() as work:
            # The lock of the account also orders concurrent creations, so that none passes the limit.
            await lock_active_caller(work, caller, now)
            if await work.personal_tokens.count_active(caller.id, now=now) >= MAX_TOKENS_PER_USER:
                raise TooManyPersonalTokens(limit=MAX_TOKENS_PER_USER)
            await work.personal_tokens.add(token, created.secret)
            await self.events.record(
                work,
                SecurityEventKind.PERSONAL_TOKEN_CREATED,
                actor=caller.id,
                subject=caller.id,
                token_id=str(token.id),
                scopes=" ".join(sorted(token.scopes)),
            )
            await work.commit()
        return created


@dataclass(frozen=True, slots=True)
class ListPersonalTokens:
    """List the caller's active tokens."""

    read: Read
    now: Clock

    async def __call__(self, caller: Caller, request: PageRequest) -> Page[PersonalToken]:
        """Return the caller's active tokens, newest first."""
        async with self.read() as repositories:
            return await repositories.personal_tokens.list_page(caller.id, request, now=self.now())


@dataclass(frozen=True, slots=True)
class ListPersonalTokensOfUser:
    """List the active tokens of an account, for admins."""

    read: Read
    now: Clock

    async def __call__(self, user_id: UUID, request: PageRequest) -> Page[PersonalToken]:
        """Return the account's active tokens, newest first; raise UserNotFound."""
        async with self.read() as repositories:
            if await repositories.users.get(user_id) is None:
                raise UserNotFound
            return await repositories.personal_tokens.list_page(user_id, request, now=self.now())


@dataclass(frozen=True, slots=True)
class PersonalTokenRevoker:
    """Revoker of one token, inside the transaction of a use case.

    `revocation_lifetime` is how long a revocation is stored. It is longer than the lifetime of any access token.
    """

    events: SecurityEventRecorder
    revocation_lifetime: timedelta
    now: Clock

    async def revoke(self, work: AuthUnitOfWork, token_id: UUID, *, user_id: UUID, actor: UUID) -> None:
        """End the token and revoke its JWTs; raise PersonalTokenNotFound if the user has no such active token.

        An exchange holds the lock of the token until it has signed the JWT. An earlier exchange is therefore included
        in the revocation, and a later one finds that the token has ended.
        """
        token = await work.personal_tokens.lock(token_id)
        now = self.now()
        if token is None or token.user_id != user_id or not token.is_active(now):
            raise PersonalTokenNotFound
        await work.personal_tokens.end(token.id, now=now)
        await work.revocations.add_all([SessionRevoked(token.id, expires_at=now + self.revocation_lifetime)])
        await self.events.record(
            work, SecurityEventKind.PERSONAL_TOKEN_REVOKED, actor=actor, subject=user_id, token_id=str(token.id)
        )


@dataclass(frozen=True, slots=True)
class RevokePersonalToken:
    """End one of the caller's tokens."""

    begin: Begin
    revoker: PersonalTokenRevoker
    now: Clock

    async def __call__(self, caller: Caller, token_id: UUID) -> None:
        """End the token; raise PersonalTokenNotFound, or AccountGone if the account or the session ended or changed."""
        async with self.begin() as work:
            await lock_active_caller(work, caller, self.now())
            await self.revoker.revoke(work, token_id, user_id=caller.id, actor=caller.id)
            await work.commit()


@dataclass(frozen=True, slots=True)
class RevokePersonalTokenOfUser:
    """End a token of an account. Only admins may call it."""

    begin: Begin
    revoker: PersonalTokenRevoker
    now: Clock

    async def __call__(self, caller: Caller, user_id: UUID, token_id: UUID) -> None:
        """End the token; raise PersonalTokenNotFound, or AccountGone if the caller is no longer an admin."""
        async with self.begin() as work:
            await lock_active_admin(work, caller, self.now())
            await self.revoker.revoke(work, token_id, user_id=user_id, actor=caller.id)
            await work.commit()


@dataclass(frozen=True, slots=True)
class ExchangedPersonalToken:
    """Token and the short JWT that stands for it."""

    token: PersonalToken
    access_token: AccessToken


@dataclass(frozen=True, slots=True)
class ExchangePersonalToken:
    """Issue a short JWT for a token."""

    begin: Begin
    tokens: TokenIssuer
    events: SecurityEventRecorder
    now: Clock

    async def __call__(self, token_text: str) -> ExchangedPersonalToken:
        """Return the JWT, with the current role and epoch of the token's user.

        Raises:
            MissingField: the token is empty.
            InvalidPersonalToken: the token is malformed or unknown.
            PersonalTokenExpired, PersonalTokenRevoked: the token has ended. A security event records its use.

        """
        secret = PersonalTokenSecret.parse(token_text)
        async with self.begin() as work:
            # The lock is held until the JWT is signed: see PersonalTokenRevoker. The account needs no lock, because a
            # change of it raises the epoch, which revokes a JWT that was signed with the old one.
            token = await work.personal_tokens.lock_by_secret(secret)
            user = await work.users.get(token.user_id) if token else None
            if token is None or user is None:
                raise InvalidPersonalToken
            now = self.now()
            error = _rejection(token, user, now)
            if error is None:
                access_token = await self.tokens.issue_personal_token(work.signing_keys, user, token)
                if token.needs_new_last_use(now):
                    await work.personal_tokens.update_last_used_at(token.id, now=now)
                await work.commit()
                return ExchangedPersonalToken(token, access_token)
        await self._record_rejection(token, error)
        raise error

    async def _record_rejection(self, token: PersonalToken, error: InvalidPersonalToken) -> None:
        """Record a rejected use, within REJECTION_LOG_LIMIT."""
        async with self.begin() as work:
            if await work.attempt_counters.hit(personal_token_rejection_key(token.id), REJECTION_LOG_LIMIT) is None:
                reason = "expired" if isinstance(error, PersonalTokenExpired) else "revoked"
                await self.events.record(
                    work,
                    SecurityEventKind.PERSONAL_TOKEN_REJECTED,
                    actor=None,
                    subject=token.user_id,
                    token_id=str(token.id),
                    reason=reason,
                )
                await work.commit()


def _rejection(token: PersonalToken, user: User, now: datetime) -> InvalidPersonalToken | None:
    if token.ended_at is not None or user.disabled:
        return PersonalTokenRevoked()
    return PersonalTokenExpired() if token.is_expired(now) else None
