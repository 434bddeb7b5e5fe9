"""Metadata of gRPC calls that authorize the caller: an access token as it is, a personal access token exchanged."""

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import structlog
from grpc import aio

from chassis.kernel.personal_tokens import is_personal_token, is_well_formed
from chassis.tokens import TokenExpired, TokenRevoked
from gateway.clients.token_exchange import ExchangedToken, TokenExchange, TokenRefused
from gateway.clients.upstream import Metadata
from gateway.transport.errors import http_errors
from gateway.transport.errors.grpc_errors import http_error_from
from gateway.transport.errors.http_errors import HttpError
from gateway.transport.request.client_rate_limit import ClientRateLimit
from gateway.transport.request.http_request import HttpRequest

_ENDED_REASONS = frozenset({TokenExpired.reason, TokenRevoked.reason})


class CallAuthorizer:
    """Source of the metadata of calls.

    A personal access token is checked in the order of the costs: its checksum, the JWTs and refusals in the cache, the
    rate limit by address, and then a call to auth_service.
    """

    def __init__(self, exchange: TokenExchange, rate_limit: ClientRateLimit) -> None:
        self._exchange = exchange
        self._rate_limit = rate_limit

    @asynccontextmanager
    async def authorize(
        self, http_request: HttpRequest, *, is_public: bool = False, needed_seconds: float = math.inf
    ) -> AsyncIterator[Metadata]:
        """Yield the metadata of one call that runs inside the context.

        A JWT for a personal access token has at least half of its life left, or lasts for `needed_seconds` if that is
        less. A public method needs no token and gets none. If the call ends with an HttpError that says that the JWT
        has ended, the next call exchanges the token again: the role of its user may have changed.

        Raises:
            HttpError: a header is malformed, the token is wrong, or it cannot be checked now.

        """
        metadata = http_request.metadata()
        token = _personal_token_in(metadata)
        if token is None:
            yield metadata
            return
        other_metadata = tuple(pair for pair in metadata if pair[0] != "authorization")
        if is_public:
            yield other_metadata
            return
        exchanged = await self._exchange_token(token, http_request, needed_seconds)
        structlog.contextvars.bind_contextvars(token_id=exchanged.token_id)
        try:
            yield (*other_metadata, ("authorization", f"Bearer {exchanged.access_token}"))
        except HttpError as error:
            if _has_ended(error):
                self._exchange.discard(token, exchanged)
            raise

    @staticmethod
    def can_renew(http_request: HttpRequest, error: HttpError) -> bool:
        """Return True if the call failed because the JWT of a personal access token has ended."""
        return _has_ended(error) and _personal_token_in(http_request.metadata()) is not None

    async def _exchange_token(self, token: str, http_request: HttpRequest, needed_seconds: float) -> ExchangedToken:
        if not is_well_formed(token):
            raise http_errors.mistyped_personal_token()

        async def count_exchange() -> None:
            await self._rate_limit.count(http_request)

        try:
            return await self._exchange.get(token, needed_seconds=needed_seconds, before_exchange=count_exchange)
        except TokenRefused as error:
            raise http_errors.personal_token_refused(error.status.reason, error.status.message) from error
        except aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
                raise http_error_from(error, lambda _: None) from error
            raise http_errors.personal_tokens_unavailable() from error


def _personal_token_in(metadata: Metadata) -> str | None:
    for key, value in metadata:
        if key == "authorization":
            scheme, _, token = value.partition(" ")
            if scheme.lower() == "bearer" and is_personal_token(token.strip()):
                return token.strip()
    return None


def _has_ended(error: HttpError) -> bool:
    return any(detail.reason in _ENDED_REASONS for detail in error.details)
