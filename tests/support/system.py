"""auth_service and task_service, running in the test's process on free ports, and callers with tokens."""

import base64
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import grpc
from pydantic import SecretStr
from taskmanager.auth.v1 import (
    auth_service_pb2,
    auth_service_pb2_grpc,
    token_service_pb2,
    token_service_pb2_grpc,
    user_pb2,
)
from taskmanager.imports.v1 import import_ingest_service_pb2_grpc, import_service_pb2_grpc
from taskmanager.tasks.v1 import history_service_pb2_grpc, task_service_pb2_grpc

import auth_service.bootstrap
import auth_service.server
import task_service.server
from auth_service.domain.accounts import Registration
from auth_service.settings import AuthSettings
from auth_service.usecases.use_cases import UseCases
from chassis.settings import Listen
from task_service.settings import TasksSettings
from tests.support.database import Database
from tests.support.grpc_calls import Metadata, bearer

ANY_PORT = Listen("127.0.0.1", 0)
PASSWORD = "correct horse battery"


@dataclass(frozen=True)
class Principal:
    """A user or a service with an access token."""

    id: str
    token: str = field(repr=False)

    @property
    def metadata(self) -> Metadata:
        return bearer(self.token)


@dataclass(frozen=True)
class System:
    """Both services, and stubs to call them."""

    auth_target: str
    tasks_target: str
    auth: "auth_service_pb2_grpc.AuthServiceAsyncStub"
    token_service: "token_service_pb2_grpc.TokenServiceAsyncStub"
    tasks: "task_service_pb2_grpc.TaskServiceAsyncStub"
    history: "history_service_pb2_grpc.HistoryServiceAsyncStub"
    imports: "import_service_pb2_grpc.ImportServiceAsyncStub"
    ingest: "import_ingest_service_pb2_grpc.ImportIngestServiceAsyncStub"
    use_cases: UseCases
    uploads: Path
    tasks_settings: TasksSettings

    @asynccontextmanager
    async def new_tasks_replica(self) -> AsyncIterator["task_service_pb2_grpc.TaskServiceAsyncStub"]:
        """Run another task_service on the same database; yield a stub to call it."""
        settings = self.tasks_settings.model_copy(update={"metrics_listen": None})  # the address is in use
        async with task_service.server.run_server(settings) as server:
            await server.is_ready.wait()
            async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
                yield task_service_pb2_grpc.TaskServiceStub(channel)

    async def new_user(self, username: str) -> Principal:
        """Register a user and log in."""
        email = f"{username}@example.com"
        await self.auth.Register(auth_service_pb2.RegisterRequest(username=username, email=email, password=PASSWORD))
        return await self.login(email)

    async def new_admin(self) -> Principal:
        """Create an admin and log in."""
        name = f"admin-{secrets.token_hex(4)}"
        admin = Registration(username=name, email=f"{name}@example.com", password=PASSWORD, role="admin")
        await self.use_cases.operators.create_admin(admin, only_if_none=False)
        return await self.login(admin.email)

    async def new_service(self, *scopes: str) -> Principal:
        """Create a service account with the scopes and take a token for it."""
        name = f"service_{secrets.token_hex(4)}"
        credential = await new_credential(self.use_cases, name, *scopes)
        response = await self.auth.IssueServiceToken(auth_service_pb2.IssueServiceTokenRequest(credential=credential))
        return Principal(name, response.access_token)

    async def create_token(self, user: Principal, *scopes: str) -> token_service_pb2.CreatedToken:
        """Create a personal access token of a user."""
        request = token_service_pb2.CreateTokenRequest(name="script", scopes=scopes)
        return await self.token_service.CreateToken(request, metadata=user.metadata)

    async def exchange(self, token: str) -> str:
        """Return the JWT of a personal access token."""
        return (
            await self.token_service.ExchangeToken(token_service_pb2.ExchangeTokenRequest(token=token))
        ).access_token

    async def new_token(self, user: Principal, *scopes: str) -> Principal:
        """Create a personal access token of a user and exchange it."""
        created = await self.create_token(user, *scopes)
        return Principal(user.id, await self.exchange(created.token))

    async def login(self, email: str) -> Principal:
        """Log a user in again."""
        response = await self.auth.Login(auth_service_pb2.LoginRequest(email=email, password=PASSWORD))
        assert response.user.role != user_pb2.ROLE_UNSPECIFIED
        return Principal(response.user.id, response.access_token)


async def new_credential(use_cases: UseCases, name: str, *scopes: str) -> str:
    """Create a service account and return its credential."""
    issued = await use_cases.service_accounts.create_service_account(name, scopes)
    return issued.credential.reveal()


@asynccontextmanager
async def running_auth_service(
    database: Database, auth_settings: Mapping[str, Any] = MappingProxyType({})
) -> AsyncIterator[tuple[str, UseCases]]:
    """Run auth_service with cheap password hashes; yield its target and its use cases."""
    settings = AuthSettings(
        listen=ANY_PORT,
        database_url=SecretStr(database.auth_url),
        key_encryption_key=SecretStr(base64.b64encode(secrets.token_bytes(32)).decode()),
        argon2_memory_kib=8,
        argon2_time_cost=1,
        drain_seconds=1,
    ).model_copy(update=dict(auth_settings))
    async with (
        auth_service.bootstrap.open_use_cases(settings) as use_cases,
        auth_service.server.run_server(settings) as server,
    ):
        await server.is_ready.wait()
        yield f"127.0.0.1:{server.port}", use_cases


@asynccontextmanager
async def running_system(
    database: Database,
    *,
    redis_url: str,
    uploads: Path,
    tasks_settings: Mapping[str, Any],
    auth_settings: Mapping[str, Any] = MappingProxyType({}),
) -> AsyncIterator[System]:
    """Run both services on a migrated database, with these settings instead of the tests' usual ones."""
    async with AsyncExitStack() as stack:
        auth_target, use_cases = await stack.enter_async_context(running_auth_service(database, auth_settings))
        credential = await new_credential(use_cases, "task_service", "trust:read", "users:read")
        settings = TasksSettings(
            listen=ANY_PORT,
            database_url=SecretStr(database.tasks_url),
            redis_url=SecretStr(redis_url),
            store_url=uploads.as_uri(),
            auth_target=auth_target,
            auth_credential=SecretStr(credential),
            drain_seconds=1,
            lease_seconds=2,
            block_interval_seconds=0.2,
        ).model_copy(update=dict(tasks_settings))
        server = await stack.enter_async_context(task_service.server.run_server(settings))
        await server.is_ready.wait()
        tasks_target = f"127.0.0.1:{server.port}"
        auth_channel = await stack.enter_async_context(grpc.aio.insecure_channel(auth_target))
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(tasks_target))
        yield System(
            auth_target=auth_target,
            tasks_target=tasks_target,
            auth=auth_service_pb2_grpc.AuthServiceStub(auth_channel),
            token_service=token_service_pb2_grpc.TokenServiceStub(auth_channel),
            tasks=task_service_pb2_grpc.TaskServiceStub(channel),
            history=history_service_pb2_grpc.HistoryServiceStub(channel),
            imports=import_service_pb2_grpc.ImportServiceStub(channel),
            ingest=import_ingest_service_pb2_grpc.ImportIngestServiceStub(channel),
            use_cases=use_cases,
            uploads=uploads,
            tasks_settings=settings,
        )
