"""Access tokens of the worker's service account, issued by auth_service."""

from grpc import aio
from taskmanager.auth.v1 import auth_service_pb2 as pb
from taskmanager.auth.v1.auth_service_pb2_grpc import AuthServiceStub

from chassis.rpc.service_token import IssuedToken


class ServiceTokenIssuer:
    """Issuer of access tokens: calls AuthService.IssueServiceToken. A call raises AioRpcError if there is no token."""

    def __init__(self, channel: aio.Channel, *, credential: str, timeout_seconds: float) -> None:
        self._stub = AuthServiceStub(channel)
        self._credential = credential
        self._timeout_seconds = timeout_seconds

    async def __call__(self) -> IssuedToken:
        request = pb.IssueServiceTokenRequest(credential=self._credential)
        response = await self._stub.IssueServiceToken(request, timeout=self._timeout_seconds)
        return response.access_token, float(response.expires_in)
