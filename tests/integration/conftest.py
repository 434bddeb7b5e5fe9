"""The services, running in this process on ports of their own, and people who use them."""

import base64
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
from pydantic import SecretStr
from taskmanager.auth.v1 import auth_service_pb2, auth_service_pb2_grpc, user_pb2
from taskmanager.imports.v1 import import_ingest_service_pb2_grpc, import_service_pb2_grpc
from taskmanager.tasks.v1 import history_service_pb2_grpc, task_service_pb2_grpc

import auth_service.bootstrap
import task_service.bootstrap
from auth_service.domain.accounts import Registration
from auth_service.settings import AuthSettings
from auth_service.wiring import UseCases
from chassis.settings import Listen
from task_service.settings import TasksSettings
from tests.integration.rest import rest_of

ANY_PORT = Listen("127.0.0.1", 0)
PASSWORD = "correct horse battery"


@dataclass(frozen=True)
class Person:
    """Somebody with an access token: a user, or a service."""

    id: str
    token: str = field(repr=False)

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {self.token}"),)


@dataclass(frozen=True)
class System:
    """auth_service and task_service, and stubs to call them by."""

    auth_target: str
    tasks_target: str
    auth: "auth_service_pb2_grpc.AuthServiceAsyncStub"
    tasks: "task_service_pb2_grpc.TaskServiceAsyncStub"
    history: "history_service_pb2_grpc.HistoryServiceAsyncStub"
    imports: "import_service_pb2_grpc.ImportServiceAsyncStub"
    ingest: "import_ingest_service_pb2_grpc.ImportIngestServiceAsyncStub"
    use_cases: UseCases
    uploads: Path

    async def person(self, username: str) -> Person:
        """A new user who has logged in."""
        email = f"{username}@example.com"
        await self.auth.Register(auth_service_pb2.RegisterRequest(username=username, email=email, password=PASSWORD))
        return await self.login(email)

    async def admin(self) -> Person:
        """A new admin who has logged in."""
        name = f"admin-{secrets.token_hex(4)}"
        admin = Registration(username=name, email=f"{name}@example.com", password=PASSWORD, role="admin")
        await self.use_cases.create_admin(admin, only_first=False)
        return await self.login(admin.email)

    async def service(self, *scopes: str) -> Person:
        """A new service with a token."""
        name = f"service_{secrets.token_hex(4)}"
        credential = await new_credential(self.use_cases, name, *scopes)
        answer = await self.auth.IssueServiceToken(auth_service_pb2.IssueServiceTokenRequest(credential=credential))
        return Person(name, answer.access_token)

    async def login(self, email: str) -> Person:
        """Somebody who has logged in again."""
        answer = await self.auth.Login(auth_service_pb2.LoginRequest(email=email, password=PASSWORD))
        assert answer.user.role != user_pb2.ROLE_UNSPECIFIED
        return Person(answer.user.id, answer.access_token)


async def new_credential(use_cases: UseCases, name: str, *scopes: str) -> str:
    """A new service account's credential."""
    issued = await use_cases.create_service_account(name, scopes)
    return issued.credential.reveal()


@asynccontextmanager
async def auth_running(databases) -> AsyncIterator[tuple[str, UseCases]]:
    """auth_service's target and its use cases; cheap passwords."""
    settings = AuthSettings(
        listen=ANY_PORT,
        database_url=SecretStr(databases.auth_url),
        key_encryption_key=SecretStr(base64.b64encode(secrets.token_bytes(32)).decode()),
        argon2_memory_kib=8,
        argon2_time_cost=1,
        drain_seconds=1,
    )
    async with (
        auth_service.bootstrap.assembled(settings) as use_cases,
        auth_service.bootstrap.serving(settings) as server,
    ):
        await server.ready.wait()
        yield f"127.0.0.1:{server.port}", use_cases


@pytest.fixture
def tasks_settings() -> dict[str, Any]:
    """What a test wants task_service to be told beyond what it needs: tests override this."""
    return {}


@pytest_asyncio.fixture
async def system(databases, redis_url, tmp_path: Path, tasks_settings: dict[str, Any]):
    """auth_service and task_service on a fresh database."""
    async with AsyncExitStack() as stack:
        auth_target, use_cases = await stack.enter_async_context(auth_running(databases))
        credential = await new_credential(use_cases, "task_service", "trust:read", "users:read")
        uploads = tmp_path / "uploads"
        settings = TasksSettings(
            listen=ANY_PORT,
            database_url=SecretStr(databases.tasks_url),
            redis_url=SecretStr(redis_url),
            store_url=uploads.as_uri(),
            auth_target=auth_target,
            auth_credential=SecretStr(credential),
            drain_seconds=1,
            lease_seconds=2,
            block_interval_seconds=0.2,
        ).model_copy(update=tasks_settings)
        server = await stack.enter_async_context(task_service.bootstrap.serving(settings))
        await server.is_ready.wait()
        tasks_target = f"127.0.0.1:{server.port}"
        auth_channel = await stack.enter_async_context(grpc.aio.insecure_channel(auth_target))
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(tasks_target))
        yield System(
            auth_target=auth_target,
            tasks_target=tasks_target,
            auth=auth_service_pb2_grpc.AuthServiceStub(auth_channel),
            tasks=task_service_pb2_grpc.TaskServiceStub(channel),
            history=history_service_pb2_grpc.HistoryServiceStub(channel),
            imports=import_service_pb2_grpc.ImportServiceStub(channel),
            ingest=import_ingest_service_pb2_grpc.ImportIngestServiceStub(channel),
            use_cases=use_cases,
            uploads=uploads,
        )


@pytest_asyncio.fixture
async def sonu(system: System) -> Person:
    """A user."""
    return await system.person("sonu")


@pytest_asyncio.fixture
async def rest(system: System, sonu: Person):
    """The REST API, for that user."""
    async with rest_of(system, sonu) as http:
        yield http
