"""Servicer of taskmanager.auth.v1.AuthService."""

from taskmanager.auth.v1 import auth_service_pb2, auth_service_pb2_grpc, user_pb2

from auth_service.transport.translate import (
    jwks_to_proto,
    registration_from_proto,
    service_token_to_proto,
    session_tokens_to_proto,
    user_to_proto,
)
from auth_service.usecases.use_cases import AuthUseCases
from chassis.rpc.interceptor import Context
from chassis.rpc.request_context import current_caller


class AuthServicer(auth_service_pb2_grpc.AuthServiceServicer):
    def __init__(self, use_cases: AuthUseCases) -> None:
        self._use_cases = use_cases

    async def Register(self, request: auth_service_pb2.RegisterRequest, context: Context) -> user_pb2.User:
        return user_to_proto(await self._use_cases.register(registration_from_proto(request)))

    async def Login(self, request: auth_service_pb2.LoginRequest, context: Context) -> auth_service_pb2.LoginResponse:
        password = request.password if request.HasField("password") else None
        return session_tokens_to_proto(await self._use_cases.log_in(request.email, password))

    async def RefreshToken(
        self, request: auth_service_pb2.RefreshTokenRequest, context: Context
    ) -> auth_service_pb2.LoginResponse:
        return session_tokens_to_proto(await self._use_cases.refresh_session(request.refresh_token))

    async def Logout(
        self, request: auth_service_pb2.LogoutRequest, context: Context
    ) -> auth_service_pb2.LogoutResponse:
        await self._use_cases.log_out(current_caller())
        return auth_service_pb2.LogoutResponse()

    async def ResetPassword(
        self, request: auth_service_pb2.ResetPasswordRequest, context: Context
    ) -> auth_service_pb2.ResetPasswordResponse:
        await self._use_cases.redeem_reset_code(request.reset_code, request.new_password)
        return auth_service_pb2.ResetPasswordResponse()

    async def IssueServiceToken(
        self, request: auth_service_pb2.IssueServiceTokenRequest, context: Context
    ) -> auth_service_pb2.IssueServiceTokenResponse:
        return service_token_to_proto(await self._use_cases.issue_service_token(request.credential))

    async def GetJwks(self, request: auth_service_pb2.GetJwksRequest, context: Context) -> auth_service_pb2.Jwks:
        return jwks_to_proto(await self._use_cases.get_public_keys())
