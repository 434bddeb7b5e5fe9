"""Authentication and authorization of calls: the interceptor that every service shares."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from chassis.kernel.errors import DomainError, Unavailable
from chassis.kernel.identity import Caller
from chassis.kernel.personal_tokens import is_personal_token
from chassis.rpc.access import HEALTH_METHODS, Access
from chassis.rpc.interceptor import Context, ContextInterceptor
from chassis.rpc.request_context import enter_caller, request_id
from chassis.tokens import TokenVerifier, Unauthenticated

STREAM_CHECK_SECONDS = 2.0
"""Interval at which the token of an open stream is verified again."""


class PermissionDenied(DomainError):
    """Your role or your scopes do not allow this call."""


class PermissionMissing(PermissionDenied, inherits_reason=True):
    """You need the {kind} {permissions} for this call."""

    def __init__(self, *, kind: str, permissions: frozenset[str]) -> None:
        super().__init__(kind=kind, permissions=" or ".join(sorted(permissions)))


class TokenNotAllowed(PermissionDenied):
    """A personal access token does not allow this call. Log in and use the access token of the session."""


class TokenScopeMissing(PermissionDenied):
    """The personal access token needs the scope {scopes} for this call. Create a token that has it."""

    def __init__(self, *, scopes: frozenset[str]) -> None:
        self._scopes = sorted(scopes)
        super().__init__(scopes=" or ".join(self._scopes))

    @property
    def metadata(self) -> Mapping[str, str]:
        return {"scopes": " ".join(self._scopes)}


class TokenMissing(Unauthenticated, inherits_reason=True):
    """The header `authorization: Bearer ...` with an access token is missing. Log in to get a token."""


class TokenAmbiguous(Unauthenticated, inherits_reason=True):
    """The header authorization is repeated. Send it once."""


class TokenNotExchanged(Unauthenticated):
    """A personal access token is accepted by the REST gateway only. Exchange it by TokenService.ExchangeToken first."""


class NotReady(Unavailable):
    """The service is starting and can't check tokens yet. Try again shortly."""

    is_retryable_elsewhere = True


class JwtInterceptor(ContextInterceptor):
    """Interceptor that verifies the bearer token, checks the method's access option, and sets the current caller.

    Before the first trust state, every call but health is refused with UNAVAILABLE, because no token can be judged.
    A method without an access option is refused to every caller. A public method ignores a token. A personal access
    token arrives as the JWT that it was exchanged for. An open stream ends when its token expires or is revoked.
    """

    def __init__(self, *, verifier: TokenVerifier, policy: Mapping[str, Access]) -> None:
        self._verifier = verifier
        self._policy = policy
        self._roles: frozenset[str] = frozenset().union(*(access.roles for access in policy.values()))

    @contextmanager
    def call_context(self, context: Context, method: str) -> Iterator[None]:
        if not self._verifier.is_ready and method not in HEALTH_METHODS:
            raise NotReady
        access = self._policy.get(method)
        if access is None:
            raise PermissionDenied
        if access.public:
            yield
            return
        token = _bearer(context)
        if is_personal_token(token):
            raise TokenNotExchanged
        claims = self._verifier.verify(token)
        # A role that no access option names does not exist, so the token is not one of this system.
        if claims.role is not None and claims.role not in self._roles:
            raise Unauthenticated
        caller = Caller(
            claims.subject,
            claims.role,
            claims.scopes,
            claims.session_id,
            request_id(),
            claims.epoch,
            claims.token_scopes,
        )
        enter_caller(caller)  # before the access check, so that the log names a refused caller
        if not access.admits(caller):
            raise _denial(access, caller)
        with self._while_token_is_valid(token):
            yield

    @contextmanager
    def _while_token_is_valid(self, token: str) -> Iterator[None]:
        """Cancel the call when the token becomes invalid, and raise the reason."""
        task = asyncio.current_task()
        token_errors: list[Unauthenticated] = []

        loop = asyncio.get_running_loop()
        timer: asyncio.TimerHandle

        def check() -> None:
            nonlocal timer
            try:
                self._verifier.verify(token)
            except Unauthenticated as error:
                token_errors.append(error)
                if task is not None:
                    task.cancel()
            else:
                timer = loop.call_later(STREAM_CHECK_SECONDS, check)

        timer = loop.call_later(STREAM_CHECK_SECONDS, check)
        try:
            yield
        except asyncio.CancelledError:
            if token_errors and task is not None:
                task.uncancel()
                raise token_errors[0] from None
            raise
        finally:
            timer.cancel()


def _denial(access: Access, caller: Caller) -> PermissionDenied:
    """Return the error for a caller who is not admitted. A role that is too low says nothing about scopes."""
    if caller.token_scopes is not None and not access.token_scopes:
        return TokenNotAllowed()
    if caller.role in access.roles:
        return TokenScopeMissing(scopes=access.token_scopes)
    kind, permissions = ("scope", access.scopes) if caller.role is None else ("role", access.roles)
    return PermissionMissing(kind=kind, permissions=permissions) if permissions else PermissionDenied()


def _bearer(context: Context) -> str:
    values = [value for key, value in context.invocation_metadata() or () if key == "authorization"]
    # A proxy that checks the token may have looked at the other one.
    if len(values) > 1:
        raise TokenAmbiguous
    for value in values:
        scheme, _, token = str(value).partition(" ")
        if scheme.lower() == "bearer" and token:
            return token.strip()
    raise TokenMissing
