"""Client of auth_service: service token, trust state and look-ups of users."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import TypeVar
from uuid import UUID

import grpc
from google.protobuf.message import Message
from grpc.aio import AioRpcError
from taskmanager.auth.v1 import (
    auth_service_pb2,
    auth_service_pb2_grpc,
    user_pb2,
    user_service_pb2,
    user_service_pb2_grpc,
)
from taskmanager.trust.v1 import trust_service_pb2, trust_service_pb2_grpc

from chassis.kernel.errors import Unavailable
from chassis.rpc.client import open_channel
from chassis.rpc.service_token import IssuedToken, TokenSource
from chassis.tls.reloader import CertificateReloader

CALL_TIMEOUT_SECONDS = 5.0

Response = TypeVar("Response")

# INVALID_ARGUMENT is the status for an id that no user can have.
_UNKNOWN_USER = {grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT}
_OUTAGES = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAUTHENTICATED}


@contextmanager
def _translate_outages() -> Iterator[None]:
    """Raise Unavailable for an outage; other errors pass."""
    try:
        yield
    except AioRpcError as error:
        if error.code() in _OUTAGES:
            raise Unavailable from error
        raise


class AuthClient:
    """Client of auth_service with this service's credential. Calls time out after CALL_TIMEOUT_SECONDS."""

    def __init__(self, channel: grpc.aio.Channel, credential: str) -> None:
        self._auth = auth_service_pb2_grpc.AuthServiceStub(channel)
        self._users = user_service_pb2_grpc.UserServiceStub(channel)
        self._trust = trust_service_pb2_grpc.TrustServiceStub(channel)
        self._credential = credential
        self._token = TokenSource(issue=self._issue)

    async def get_trust_state(self, cursor: str) -> trust_service_pb2.TrustState:
        """Return the changes of the trust state since a cursor. Raises AioRpcError."""
        return await self._call(self._trust.GetTrustState, trust_service_pb2.GetTrustStateRequest(cursor=cursor))

    async def find_user(self, user_id: str) -> user_pb2.User | None:
        """Return the active user with this id, None for an unknown or disabled one. Raises Unavailable."""
        request = user_service_pb2.ResolveUserRequest(id=user_id)
        try:
            with _translate_outages():
                return await self._call(self._users.ResolveUser, request)
        except AioRpcError as error:
            if error.code() in _UNKNOWN_USER:
                return None
            raise

    async def usernames_by_id(self, user_ids: Collection[UUID]) -> Mapping[UUID, str]:
        """Return the usernames of at most 1,000 users. Unknown ids are left out. Raises Unavailable."""
        request = user_service_pb2.BatchGetUserNamesRequest(ids=map(str, user_ids))
        with _translate_outages():
            response = await self._call(self._users.BatchGetUserNames, request)
        return {UUID(user.id): user.username for user in response.users}

    async def ids_by_username(self, usernames: Collection[str]) -> Mapping[str, UUID]:
        """Return the ids of at most 1,000 active users. Unknown names are left out. Raises Unavailable."""
        request = user_service_pb2.BatchGetUserIdsRequest(usernames=usernames)
        with _translate_outages():
            response = await self._call(self._users.BatchGetUserIds, request)
        return {user.username: UUID(user.id) for user in response.users}

    async def ids_by_email(self, emails: Collection[str]) -> Mapping[str, UUID]:
        """Return the ids of at most 1,000 active users. Unknown emails are left out. Raises Unavailable."""
        request = user_service_pb2.BatchGetUserIdsRequest(emails=emails)
        with _translate_outages():
            response = await self._call(self._users.BatchGetUserIds, request)
        return {user.email: UUID(user.id) for user in response.users_by_email}

    async def _call(self, method: Callable[..., Awaitable[Response]], request: Message) -> Response:
        metadata = (("authorization", f"Bearer {await self._token()}"),)
        try:
            return await method(request, metadata=metadata, timeout=CALL_TIMEOUT_SECONDS)
        except AioRpcError as error:
            if error.code() is grpc.StatusCode.UNAUTHENTICATED:
                self._token.invalidate()
            raise

    async def _issue(self) -> IssuedToken:
        response = await self._auth.IssueServiceToken(
            auth_service_pb2.IssueServiceTokenRequest(credential=self._credential), timeout=CALL_TIMEOUT_SECONDS
        )
        return response.access_token, float(response.expires_in)


@asynccontextmanager
async def auth_client(
    target: str, credential: str, *, certificates: CertificateReloader | None = None
) -> AsyncIterator[AuthClient]:
    """Open a channel to auth_service and yield a client on it."""
    async with open_channel(target, certificates=certificates) as channel:
        yield AuthClient(channel, credential)
