"""auth_service, as task_service needs it: its own token, the trust state, and who has an account."""

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

CALL_SECONDS = 5.0

Answer = TypeVar("Answer")

# An id that nobody can have is nobody's.
_NOBODY = {grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT}
_OUTAGE = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAUTHENTICATED}


@contextmanager
def _outage() -> Iterator[None]:
    try:
        yield
    except AioRpcError as error:
        if error.code() in _OUTAGE:
            raise Unavailable from error
        raise


class AuthClient:
    """Calls auth_service with this service's credential."""

    def __init__(self, channel: grpc.aio.Channel, credential: str) -> None:
        self._auth = auth_service_pb2_grpc.AuthServiceStub(channel)
        self._users = user_service_pb2_grpc.UserServiceStub(channel)
        self._trust = trust_service_pb2_grpc.TrustServiceStub(channel)
        self._credential = credential
        self._token = TokenSource(issue=self._issue)

    async def trust_state(self, cursor: str) -> trust_service_pb2.TrustState:
        """What changed since the cursor. Raises AioRpcError when auth_service can't be asked."""
        return await self._ask(self._trust.GetTrustState, trust_service_pb2.GetTrustStateRequest(cursor=cursor))

    async def user(self, *, user_id: str) -> user_pb2.User | None:
        """The user of an id, None when there is none. Unavailable when auth_service can't be asked."""
        request = user_service_pb2.ResolveUserRequest(id=user_id)
        try:
            with _outage():
                return await self._ask(self._users.ResolveUser, request)
        except AioRpcError as error:
            if error.code() in _NOBODY:
                return None
            raise

    async def names(self, user_ids: Collection[UUID]) -> Mapping[UUID, str]:
        """The usernames of those, at most 1000, who have an account. Unavailable when auth_service can't be asked."""
        request = user_service_pb2.BatchGetUserNamesRequest(ids=map(str, user_ids))
        with _outage():
            answer = await self._ask(self._users.BatchGetUserNames, request)
        return {UUID(user.id): user.username for user in answer.users}

    async def ids(self, usernames: Collection[str]) -> Mapping[str, UUID]:
        """Those who have these names, at most 1000, and may log in. Unavailable when auth_service can't be asked."""
        request = user_service_pb2.BatchGetUserIdsRequest(usernames=usernames)
        with _outage():
            answer = await self._ask(self._users.BatchGetUserIds, request)
        return {user.username: UUID(user.id) for user in answer.users}

    async def _ask(self, call: Callable[..., Awaitable[Answer]], request: Message) -> Answer:
        metadata = (("authorization", f"Bearer {await self._token()}"),)
        try:
            return await call(request, metadata=metadata, timeout=CALL_SECONDS)
        except AioRpcError as error:
            if error.code() is grpc.StatusCode.UNAUTHENTICATED:
                self._token.forget()
            raise

    async def _issue(self) -> IssuedToken:
        answer = await self._auth.IssueServiceToken(
            auth_service_pb2.IssueServiceTokenRequest(credential=self._credential), timeout=CALL_SECONDS
        )
        return answer.access_token, float(answer.expires_in)


@asynccontextmanager
async def auth_client(
    target: str, credential: str, *, certificates: CertificateReloader | None = None
) -> AsyncIterator[AuthClient]:
    """A client on a channel of its own."""
    async with open_channel(target, certificates=certificates) as channel:
        yield AuthClient(channel, credential)
