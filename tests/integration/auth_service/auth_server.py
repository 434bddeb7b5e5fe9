"""A running auth_service on a free port, with stubs for its rpcs."""

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import grpc
import jwt
from taskmanager.auth.v1 import (
    auth_service_pb2,
    auth_service_pb2_grpc,
    security_event_service_pb2_grpc,
    service_account_service_pb2_grpc,
    token_service_pb2,
    token_service_pb2_grpc,
    user_pb2,
    user_service_pb2,
    user_service_pb2_grpc,
)
from taskmanager.trust.v1 import trust_service_pb2, trust_service_pb2_grpc

from auth_service.bootstrap import open_use_cases
from auth_service.domain.accounts import Registration
from auth_service.domain.roles import Role
from auth_service.server import run_server
from auth_service.settings import AuthSettings
from chassis.rpc.client import open_channel
from tests.support.grpc_calls import bearer, refused

ENCRYPTION_KEY = bytes(range(32))
PASSWORD = "correct horse"
NEW_PASSWORD = "another horse"

Response = TypeVar("Response")


def make_settings(database_url: str, **changes: object) -> AuthSettings:
    """Return settings with a free port and cheap password hashes."""
    values: dict[str, object] = {
        "listen": "127.0.0.1:0",
        "database_url": database_url,
        "key_encryption_key": base64.b64encode(ENCRYPTION_KEY).decode(),
        "argon2_memory_kib": 8,
        "argon2_time_cost": 1,
        "drain_seconds": 1,
        **changes,
    }
    return AuthSettings.model_validate(values)


@dataclass(frozen=True, slots=True)
class AuthServer:
    """A running service, with stubs and short forms of its rpcs."""

    settings: AuthSettings
    channel: grpc.aio.Channel

    @property
    def auth(self) -> "auth_service_pb2_grpc.AuthServiceAsyncStub":
        return auth_service_pb2_grpc.AuthServiceStub(self.channel)

    @property
    def users(self) -> "user_service_pb2_grpc.UserServiceAsyncStub":
        return user_service_pb2_grpc.UserServiceStub(self.channel)

    @property
    def tokens(self) -> "token_service_pb2_grpc.TokenServiceAsyncStub":
        return token_service_pb2_grpc.TokenServiceStub(self.channel)

    @property
    def service_accounts(self) -> "service_account_service_pb2_grpc.ServiceAccountServiceAsyncStub":
        return service_account_service_pb2_grpc.ServiceAccountServiceStub(self.channel)

    @property
    def security_events(self) -> "security_event_service_pb2_grpc.SecurityEventServiceAsyncStub":
        return security_event_service_pb2_grpc.SecurityEventServiceStub(self.channel)

    @property
    def trust(self) -> "trust_service_pb2_grpc.TrustServiceAsyncStub":
        return trust_service_pb2_grpc.TrustServiceStub(self.channel)

    async def register(
        self, username: str = "sonu", *, email: str = "", password: str = PASSWORD, role: int = 0
    ) -> user_pb2.User:
        request = auth_service_pb2.RegisterRequest(
            username=username,
            email=email or f"{username}@example.com",
            password=password,
            role=cast("user_pb2.Role.ValueType", role),  # may be a number that the contract does not define
        )
        return await self.auth.Register(request)

    async def login(self, email: str = "sonu@example.com", password: str = PASSWORD) -> auth_service_pb2.LoginResponse:
        return await self.auth.Login(auth_service_pb2.LoginRequest(email=email, password=password))

    async def refresh(self, refresh_token: str) -> auth_service_pb2.LoginResponse:
        return await self.auth.RefreshToken(auth_service_pb2.RefreshTokenRequest(refresh_token=refresh_token))

    async def logout(self, token: str) -> auth_service_pb2.LogoutResponse:
        return await self.auth.Logout(auth_service_pb2.LogoutRequest(), metadata=bearer(token))

    async def create_token(
        self, access_token: str, *scopes: str, name: str = "script", **fields: Any
    ) -> token_service_pb2.CreatedToken:
        request = token_service_pb2.CreateTokenRequest(name=name, scopes=scopes, **fields)
        return await self.tokens.CreateToken(request, metadata=bearer(access_token))

    async def list_tokens(self, access_token: str) -> list[token_service_pb2.Token]:
        request = token_service_pb2.ListTokensRequest()
        return list((await self.tokens.ListTokens(request, metadata=bearer(access_token))).tokens)

    async def revoke_token(self, access_token: str, token_id: str) -> token_service_pb2.RevokeTokenResponse:
        request = token_service_pb2.RevokeTokenRequest(id=token_id)
        return await self.tokens.RevokeToken(request, metadata=bearer(access_token))

    async def exchange(self, token: str) -> token_service_pb2.ExchangeTokenResponse:
        return await self.tokens.ExchangeToken(token_service_pb2.ExchangeTokenRequest(token=token))

    async def change_password(
        self, token: str, current: str, new: str, *, revoke_tokens: bool = False
    ) -> auth_service_pb2.LoginResponse:
        request = user_service_pb2.ChangePasswordRequest(
            current_password=current, new_password=new, revoke_tokens=revoke_tokens
        )
        return await self.users.ChangePassword(request, metadata=bearer(token))

    async def list_sessions(self, token: str) -> list[user_service_pb2.Session]:
        request = user_service_pb2.ListSessionsRequest()
        return list((await self.users.ListSessions(request, metadata=bearer(token))).sessions)

    async def revoke_session(self, token: str, session_id: str) -> user_service_pb2.RevokeSessionResponse:
        request = user_service_pb2.RevokeSessionRequest(id=session_id)
        return await self.users.RevokeSession(request, metadata=bearer(token))

    async def create_admin(self, username: str = "ada") -> str:
        """Create an admin and return an access token."""
        registration = Registration(
            username=username, email=f"{username}@example.com", password=PASSWORD, role=Role.ADMIN.value
        )
        async with open_use_cases(self.settings) as use_cases:
            await use_cases.operators.create_admin(registration)
        return (await self.login(f"{username}@example.com")).access_token

    async def update_user(self, token: str, user_id: str, **changes: Any) -> user_pb2.User:
        request = user_service_pb2.UpdateUserRequest(id=user_id, **changes)
        return await self.users.UpdateUser(request, metadata=bearer(token))

    async def get_user(self, token: str, user_id: str) -> user_pb2.User:
        return await self.users.GetUser(user_service_pb2.GetUserRequest(id=user_id), metadata=bearer(token))

    async def list_users(self, token: str, **query: Any) -> user_service_pb2.ListUsersResponse:
        return await self.users.ListUsers(user_service_pb2.ListUsersRequest(**query), metadata=bearer(token))

    async def lookup(self, token: str, text: str) -> list[str]:
        request = user_service_pb2.LookupUsersRequest(q=text)
        return [user.username for user in (await self.users.LookupUsers(request, metadata=bearer(token))).users]

    async def update_me(self, token: str, **changes: Any) -> user_pb2.User:
        request = user_service_pb2.UpdateCurrentUserRequest(**changes)
        return await self.users.UpdateCurrentUser(request, metadata=bearer(token))

    async def delete_me(self, token: str) -> user_service_pb2.DeleteCurrentUserResponse:
        request = user_service_pb2.DeleteCurrentUserRequest()
        return await self.users.DeleteCurrentUser(request, metadata=bearer(token))

    async def reset_code(self, token: str, user_id: str) -> str:
        request = user_service_pb2.ResetUserPasswordRequest(id=user_id)
        return (await self.users.ResetUserPassword(request, metadata=bearer(token))).reset_code

    async def reset_password(self, code: str, new: str) -> auth_service_pb2.ResetPasswordResponse:
        return await self.auth.ResetPassword(auth_service_pb2.ResetPasswordRequest(reset_code=code, new_password=new))

    async def service_token(self, credential: str) -> auth_service_pb2.IssueServiceTokenResponse:
        return await self.auth.IssueServiceToken(auth_service_pb2.IssueServiceTokenRequest(credential=credential))

    async def me(self, token: str) -> user_pb2.User:
        return await self.users.GetCurrentUser(user_service_pb2.GetCurrentUserRequest(), metadata=bearer(token))

    async def trust_state(self, token: str, cursor: str = "", *, page_size: int = 0) -> trust_service_pb2.TrustState:
        request = trust_service_pb2.GetTrustStateRequest(cursor=cursor, page_size=page_size)
        return await self.trust.GetTrustState(request, metadata=bearer(token))

    async def create_service(self, name: str, *scopes: str) -> str:
        """Create a service account and return its credential."""
        async with open_use_cases(self.settings) as use_cases:
            return (await use_cases.service_accounts.create_service_account(name, scopes)).credential.reveal()

    async def verifier_token(self) -> str:
        """Return the access token of a service that may read the trust state."""
        credential = await self.create_service("verifier", "trust:read")
        return (await self.service_token(credential)).access_token


@asynccontextmanager
async def running_auth_server(settings: AuthSettings) -> AsyncIterator[AuthServer]:
    """Run the service and yield it when it is ready."""
    async with run_server(settings) as server:
        async with asyncio.timeout(20):
            await server.is_ready.wait()
        async with open_channel(f"127.0.0.1:{server.port}") as channel:
            yield AuthServer(settings, channel)


def claims(token: str) -> dict[str, Any]:
    """Return the claims of a token without verifying it."""
    return jwt.decode(token, options={"verify_signature": False})


async def code_and_reason(call: Awaitable[object]) -> tuple[grpc.StatusCode, str]:
    """Return the status code and the reason of a call that must fail."""
    status = await refused(call)
    return status.code, status.reason
