"""The one interceptor that turns an access token into a caller, shared by every service."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from chassis.kernel.identity import Caller
from chassis.kernel.errors import DomainError
from chassis.rpc.access import Access
from chassis.rpc.interceptor import ContextInterceptor
from chassis.rpc.interceptor import Context
from chassis.rpc.request_context import enter_caller, request_id
from chassis.tokens import TokenVerifier, Unauthenticated

STREAM_CHECK_SECONDS = 2.0
"""How often an open stream's token is looked at again."""


class PermissionDenied(DomainError):
    """Your role or scopes do not allow this call."""


class JwtInterceptor(ContextInterceptor):
    """Verifies `authorization: Bearer ...`, holds it against the method's access, and names the caller.

    A method without an access option is refused to everybody. A public method ignores whatever token is sent. A
    stream is ended when its token expires or is revoked while it is open.
    """

    def __init__(self, *, verifier: TokenVerifier, policy: Mapping[str, Access]) -> None:
        self._verifier = verifier
        self._policy = policy

    @asynccontextmanager
    async def around(self, context: Context, method: str) -> AsyncIterator[None]:
        access = self._policy.get(method)
        if access is None:
            raise PermissionDenied
        if access.public:
            yield
            return
        token = _bearer(context)
        claims = self._verifier.verify(token)
        caller = Caller(claims.subject, claims.role, claims.scopes, claims.session_id, request_id())
        enter_caller(caller)  # before anything is refused, so that the log says to whom
        if not access.admits(caller):
            raise PermissionDenied
        async with self._while_good(token):
            yield

    @asynccontextmanager
    async def _while_good(self, token: str) -> AsyncIterator[None]:
        """Cancels what runs inside when the token stops being good, and tells the caller why."""
        task = asyncio.current_task()
        ended: list[Unauthenticated] = []

        loop = asyncio.get_running_loop()
        timer: asyncio.TimerHandle

        def look() -> None:
            nonlocal timer
            try:
                self._verifier.verify(token)
            except Unauthenticated as error:
                ended.append(error)
                if task is not None:
                    task.cancel()
            else:
                timer = loop.call_later(STREAM_CHECK_SECONDS, look)

        timer = loop.call_later(STREAM_CHECK_SECONDS, look)
        try:
            yield
        except asyncio.CancelledError:
            if ended and task is not None:
                task.uncancel()
                raise ended[0] from None
            raise
        finally:
            timer.cancel()


def _bearer(context: Context) -> str:
    for key, value in context.invocation_metadata() or ():
        if key == "authorization" and isinstance(value, str):
            scheme, _, token = value.partition(" ")
            if scheme.lower() == "bearer" and token:
                return token.strip()
    raise Unauthenticated
