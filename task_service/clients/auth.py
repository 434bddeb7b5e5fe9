"""auth_service, as task_service needs it: its own token, and the trust state."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
from grpc.aio import AioRpcError
from taskmanager.auth.v1 import auth_service_pb2, auth_service_pb2_grpc
from taskmanager.trust.v1 import trust_service_pb2, trust_service_pb2_grpc

from chassis.rpc.client import aio_channel
from chassis.rpc.service_token import Issued, TokenSource

CALL_SECONDS = 5.0


class AuthClient:
    """Calls auth_service with this service's credential."""

    def __init__(self, channel: grpc.aio.Channel, credential: str) -> None:
        self._auth = auth_service_pb2_grpc.AuthServiceStub(channel)
        self._trust = trust_service_pb2_grpc.TrustServiceStub(channel)
        self._credential = credential
        self._token = TokenSource(issue=self._issue)

    async def trust_state(self, cursor: str) -> trust_service_pb2.TrustState:
        """What changed since the cursor. Raises AioRpcError when auth_service can't be asked."""
        metadata = (("authorization", f"Bearer {await self._token()}"),)
        try:
            return await self._trust.GetTrustState(
                trust_service_pb2.GetTrustStateRequest(cursor=cursor), metadata=metadata, timeout=CALL_SECONDS
            )
        except AioRpcError as error:
            if error.code() is grpc.StatusCode.UNAUTHENTICATED:
                self._token.forget()
            raise

    async def _issue(self) -> Issued:
        answer = await self._auth.IssueServiceToken(
            auth_service_pb2.IssueServiceTokenRequest(credential=self._credential), timeout=CALL_SECONDS
        )
        return answer.access_token, float(answer.expires_in)


@asynccontextmanager
async def auth_client(target: str, credential: str) -> AsyncIterator[AuthClient]:
    """A client on a channel of its own."""
    async with aio_channel(target) as channel:
        yield AuthClient(channel, credential)
