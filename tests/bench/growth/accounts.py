"""Accounts that call: two small owners, a large one, owners of old and of new tasks, a manager and a service."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

import grpc
from taskmanager.auth.v1 import (
    auth_service_pb2,
    auth_service_pb2_grpc,
    service_account_service_pb2,
    service_account_service_pb2_grpc,
    user_pb2,
    user_service_pb2,
    user_service_pb2_grpc,
)

from deploy.local.config.endpoints import Endpoints
from tests.bench.system import PASSWORD

USERS = ("small", "large", "old", "new", "manager")
SERVICE = "service"

Metadata = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Account:
    """A user or a service, with an access token that is valid for 15 minutes."""

    id: str
    token: str = field(repr=False)
    role: int = user_pb2.Role.ROLE_UNSPECIFIED

    @property
    def metadata(self) -> Metadata:
        return (("authorization", f"Bearer {self.token}"),)


async def open_accounts(endpoints: Endpoints) -> Mapping[str, Account]:
    """Log in all accounts and return them by name. Register those that do not exist yet."""
    async with (
        grpc.aio.insecure_channel(endpoints.auth_target) as public,
        grpc.aio.insecure_channel(endpoints.internal_auth_target) as internal,
    ):
        auth = auth_service_pb2_grpc.AuthServiceStub(public)
        admin = await _log_in(auth, endpoints.admin_email, endpoints.admin_password)
        accounts = {name: await _open_user(auth, name) for name in USERS}
        if accounts["manager"].role != user_pb2.Role.ROLE_MANAGER:
            change = user_service_pb2.UpdateUserRequest(id=accounts["manager"].id, role=user_pb2.Role.ROLE_MANAGER)
            await user_service_pb2_grpc.UserServiceStub(public).UpdateUser(change, metadata=admin.metadata)
            accounts["manager"] = await _open_user(auth, "manager")  # a token carries the role of its time
        created = await service_account_service_pb2_grpc.ServiceAccountServiceStub(public).CreateServiceAccount(
            service_account_service_pb2.CreateServiceAccountRequest(
                name=f"growth-{secrets.token_hex(4)}", scopes=["tasks:read"]
            ),
            metadata=admin.metadata,
        )
        issued = await auth_service_pb2_grpc.AuthServiceStub(internal).IssueServiceToken(
            auth_service_pb2.IssueServiceTokenRequest(credential=created.credential)
        )
        accounts[SERVICE] = Account(created.service_account.id, issued.access_token)
        return accounts


async def _open_user(auth: "auth_service_pb2_grpc.AuthServiceAsyncStub", name: str) -> Account:
    username = f"growth-{name}"
    email = f"{username}@example.com"
    try:
        await auth.Register(auth_service_pb2.RegisterRequest(username=username, email=email, password=PASSWORD))
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.ALREADY_EXISTS:
            raise
    return await _log_in(auth, email, PASSWORD)


async def _log_in(auth: "auth_service_pb2_grpc.AuthServiceAsyncStub", email: str, password: str) -> Account:
    response = await auth.Login(auth_service_pb2.LoginRequest(email=email, password=password))
    return Account(response.user.id, response.access_token, response.user.role)
