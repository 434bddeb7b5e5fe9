"""taskmanager.auth.v1.AuthService."""

from typing import Any

from grpc.aio import ServicerContext
from taskmanager.auth.v1 import auth_service_pb2, auth_service_pb2_grpc, user_pb2

from auth_service.transport.translate import (
    jwks_to_proto,
    login_to_proto,
    registration_from_proto,
    service_token_to_proto,
    user_to_proto,
)
from auth_service.usecases.accounts import Register
from auth_service.usecases.keys import GetPublicKeys
from auth_service.usecases.login import LogIn
from auth_service.usecases.passwords import RedeemResetCode
from auth_service.usecases.service_accounts import IssueServiceToken
from auth_service.usecases.sessions import LogOut, RefreshSession
from chassis.rpc.request_context import current_caller

Context = ServicerContext[Any, Any]


class AuthServicer(auth_service_pb2_grpc.AuthServiceServicer):
    """Proving who one is."""

    def __init__(
        self,
        *,
        register: Register,
        log_in: LogIn,
        refresh_session: RefreshSession,
        log_out: LogOut,
        redeem_reset_code: RedeemResetCode,
        issue_service_token: IssueServiceToken,
        get_public_keys: GetPublicKeys,
    ) -> None:
        self._register = register
        self._log_in = log_in
        self._refresh_session = refresh_session
        self._log_out = log_out
        self._redeem_reset_code = redeem_reset_code
        self._issue_service_token = issue_service_token
        self._get_public_keys = get_public_keys

    async def Register(self, request: auth_service_pb2.RegisterRequest, context: Context) -> user_pb2.User:
        return user_to_proto(await self._register(registration_from_proto(request)))

    async def Login(self, request: auth_service_pb2.LoginRequest, context: Context) -> auth_service_pb2.LoginResponse:
        password = request.password if request.HasField("password") else None
        return login_to_proto(await self._log_in(request.email, password))

    async def RefreshToken(
        self, request: auth_service_pb2.RefreshTokenRequest, context: Context
    ) -> auth_service_pb2.LoginResponse:
        return login_to_proto(await self._refresh_session(request.refresh_token))

    async def Logout(
        self, request: auth_service_pb2.LogoutRequest, context: Context
    ) -> auth_service_pb2.LogoutResponse:
        await self._log_out(current_caller())
        return auth_service_pb2.LogoutResponse()

    async def ResetPassword(
        self, request: auth_service_pb2.ResetPasswordRequest, context: Context
    ) -> auth_service_pb2.ResetPasswordResponse:
        await self._redeem_reset_code(request.reset_code, request.new_password)
        return auth_service_pb2.ResetPasswordResponse()

    async def IssueServiceToken(
        self, request: auth_service_pb2.IssueServiceTokenRequest, context: Context
    ) -> auth_service_pb2.IssueServiceTokenResponse:
        return service_token_to_proto(await self._issue_service_token(request.credential))

    async def GetJwks(self, request: auth_service_pb2.GetJwksRequest, context: Context) -> auth_service_pb2.Jwks:
        return jwks_to_proto(await self._get_public_keys())
