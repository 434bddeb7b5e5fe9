"""The worker's own access token, from auth_service."""

import grpc
from taskmanager.auth.v1 import auth_service_pb2 as pb
from taskmanager.auth.v1.auth_service_pb2_grpc import AuthServiceStub

from chassis.rpc.service_token import IssuedToken


class ServiceTokenIssuer:
    """Asks AuthService for a token. Raises grpc.RpcError when there is none to be had."""

    def __init__(self, channel: grpc.Channel, *, credential: str, timeout: float) -> None:
        self._stub = AuthServiceStub(channel)
        self._credential = credential
        self._timeout = timeout

    def __call__(self) -> IssuedToken:
        request = pb.IssueServiceTokenRequest(credential=self._credential)
        answer = self._stub.IssueServiceToken(request, timeout=self._timeout)
        return answer.access_token, float(answer.expires_in)
