"""Access: every rpc, called by every kind of caller, compared with the table in docs/access.md."""

import importlib
import pkgutil
import re
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
import taskmanager
from google.api import field_behavior_pb2
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from google.protobuf.message_factory import GetMessageClass
from taskmanager.auth.v1 import auth_service_pb2, user_service_pb2, user_service_pb2_grpc
from taskmanager.imports.v1 import import_service_pb2
from taskmanager.tasks.v1 import task_pb2, task_service_pb2

from auth_service.domain.personal_tokens import TokenScope
from auth_service.domain.service_accounts import Scope
from chassis.rpc.access import access_of
from chassis.rpc.errors import read_status
from gateway.transcoding.http.http_rules import read_bindings
from tests.support.grpc_calls import bearer, refused
from tests.support.system import PASSWORD, Principal

TABLE = Path(__file__).parents[2] / "docs" / "access.md"
ROLES = ("user", "manager", "admin")
REFUSED = {("UNAUTHENTICATED", "UNAUTHENTICATED"), ("UNAUTHENTICATED", "TOKEN_REVOKED")}
METHODS = {
    f"{service.name}.{method.name}": method
    for info in pkgutil.walk_packages(taskmanager.__path__, "taskmanager.")
    if info.name.endswith("_pb2")
    for service in importlib.import_module(info.name).DESCRIPTOR.services_by_name.values()
    for method in service.methods
}


@dataclass(frozen=True)
class Row:
    """REST paths of an rpc in the table, and callers that the table admits to it."""

    rest: list[str]
    anonymous: bool
    roles: frozenset[str]
    scopes: frozenset[str]
    token_scopes: frozenset[str]


def table() -> dict[str, Row]:
    rows = {}
    for line in re.findall(r"^\| (\w+\.\w+ \|.*) \|$", TABLE.read_text(), re.MULTILINE):
        name, rest, anonymous, *people, services, tokens = (cell.strip() for cell in line.split("|"))
        roles = frozenset(role for role, cell in zip(ROLES, people, strict=True) if cell == "yes")
        rows[name] = Row(
            re.findall("`(.+?)`", rest),
            anonymous == "yes",
            roles,
            scopes_in(services, Scope),
            scopes_in(tokens, TokenScope),
        )
    return rows


def scopes_in(cell: str, known: Iterable[str]) -> frozenset[str]:
    return frozenset(map(str, known)) if cell == "any" else frozenset(re.findall(r"[a-z]+:[a-z]+", cell))


TABLE_ROWS = table()


def test_access_table_lists_exactly_the_rpcs():
    assert set(TABLE_ROWS) == set(METHODS)


@pytest.mark.parametrize("name", METHODS)
def test_access_table_has_all_rest_paths(name):
    bindings = read_bindings(METHODS[name])
    assert TABLE_ROWS[name].rest == [f"{binding.http_method} {binding.template.source}" for binding in bindings]


@pytest.mark.parametrize("name", METHODS)
def test_contract_agrees_with_access_table(name):
    access, row = access_of(METHODS[name]), TABLE_ROWS[name]
    assert access is not None, "an rpc without a policy"
    assert access.public == row.anonymous
    if not access.public:
        assert access.roles == row.roles
        assert access.scopes == row.scopes
        assert access.token_scopes == row.token_scopes


class RpcClient:
    """Client that calls any rpc of the system with any request."""

    def __init__(self, auth: grpc.aio.Channel, tasks: grpc.aio.Channel) -> None:
        self._auth, self._tasks = auth, tasks

    async def call(self, method: MethodDescriptor, metadata: Any, **fields: str) -> tuple[str, str]:
        """Return the status and the reason of a call; of a stream, those of its first message."""
        path = f"/{method.containing_service.full_name}/{method.name}"
        request, response = GetMessageClass(method.input_type), GetMessageClass(method.output_type)
        of_auth = path.startswith(("/taskmanager.auth.", "/taskmanager.trust."))
        channel = self._auth if of_auth else self._tasks
        codec = (request.SerializeToString, response.FromString)
        stubs: dict[tuple[bool, bool], Any] = {
            (False, False): channel.unary_unary,
            (False, True): channel.unary_stream,
            (True, False): channel.stream_unary,
            (True, True): channel.stream_stream,
        }
        stub = stubs[method.client_streaming, method.server_streaming](path, *codec)
        argument = no_messages() if method.client_streaming else request(**fields)
        rpc = stub(argument, metadata=metadata, timeout=5)
        try:
            if method.server_streaming:
                await rpc.read()
                rpc.cancel()
            else:
                await rpc
        except grpc.aio.AioRpcError as error:
            status = read_status(error)
            return status.code.name, status.reason
        return "OK", ""


async def no_messages() -> AsyncIterator[Any]:
    for message in list[Any]():
        yield message


@pytest.fixture
async def client(system):
    async with (
        grpc.aio.insecure_channel(system.auth_target) as auth,
        grpc.aio.insecure_channel(system.tasks_target) as tasks,
    ):
        yield RpcClient(auth, tasks)


async def user_with_role(system, database, role: str, name: str):
    """Create a user with a role. Each call needs a new one: some end the account or the session of their caller."""
    created = await system.auth.Register(
        auth_service_pb2.RegisterRequest(username=name, email=f"{name}@example.com", password=PASSWORD)
    )
    if role != "user":
        await database.execute(f"UPDATE auth.users SET role = '{role}' WHERE id = '{created.id}'")
    return await system.login(f"{name}@example.com")


async def test_rpcs_admit_exactly_the_callers_of_the_table(system, database, client):
    services = {scope.value: (await system.new_service(scope.value)).metadata for scope in Scope}
    # An admin has every role, so that the scope alone decides. No call ends a token, so that one a scope is enough.
    admin = await system.new_admin()
    tokens = {scope.value: await system.new_token(admin, scope.value) for scope in TokenScope}
    admitted: dict[str, Row] = {}
    denied = ("PERMISSION_DENIED", "PERMISSION_DENIED")
    for number, (name, method) in enumerate(METHODS.items()):
        anonymous = await client.call(method, ())
        roles = set()
        for role in ROLES:
            user = await user_with_role(system, database, role, f"{role}{number}")
            result = await client.call(method, user.metadata)
            assert result not in REFUSED, (name, role, result)
            if result != denied:
                roles.add(role)
        scopes = {
            scope
            for scope, service_metadata in services.items()
            if await client.call(method, service_metadata) != denied
        }
        token_scopes = {scope for scope, token in tokens.items() if await admits_token(client, method, token)}
        callers = (frozenset(roles), frozenset(scopes), frozenset(token_scopes))
        admitted[name] = Row(TABLE_ROWS[name].rest, anonymous not in REFUSED, *callers)
    assert admitted == TABLE_ROWS


async def admits_token(client: RpcClient, method: MethodDescriptor, token: Principal) -> bool:
    """Return True if a method admits a personal access token. The reason of a refusal agrees with the table."""
    result = await client.call(method, token.metadata)
    assert result not in REFUSED, (method.full_name, result)
    if result[0] != "PERMISSION_DENIED":
        return True
    row = TABLE_ROWS[f"{method.containing_service.name}.{method.name}"]
    assert result[1] == ("TOKEN_SCOPE_MISSING" if row.token_scopes else "TOKEN_NOT_ALLOWED"), method.full_name
    return False


async def test_denial_names_what_the_call_needs(system, sonu):
    """A user reads the roles, a service the scopes, and a caller without a token the header."""
    calls = {
        "You need the role admin for this call.": sonu.metadata,
        "You need the scope users:read for this call.": (await system.new_service("tasks:read")).metadata,
        "The header `authorization: Bearer ...` with an access token is missing. Log in to get a token.": (),
        "A valid access token is required. Log in, or refresh the token.": bearer("x"),
    }
    async with grpc.aio.insecure_channel(system.auth_target) as channel:
        users = user_service_pb2_grpc.UserServiceStub(channel)
        for message, metadata in calls.items():
            status = await refused(users.GetUser(user_service_pb2.GetUserRequest(id=sonu.id), metadata=metadata))
            assert status.message == message


async def test_token_does_not_raise_the_role_of_its_user(system, database, client):
    """By a token with every scope, a user may call no rpc that the role does not allow."""
    user = await user_with_role(system, database, "user", "limited")
    token = await system.new_token(user, *TokenScope)
    for name, method in METHODS.items():
        code, reason = await client.call(method, token.metadata)
        row = TABLE_ROWS[name]
        may_call = row.anonymous or ("user" in row.roles and bool(row.token_scopes))
        assert (code != "PERMISSION_DENIED") == may_call, (name, code, reason)


async def test_disabled_user_is_unauthenticated_everywhere(system, database, client):
    user = await user_with_role(system, database, "manager", "gone")
    await database.execute(f"UPDATE auth.users SET disabled = true, epoch = 1 WHERE id = '{user.id}'")
    await database.execute(
        "INSERT INTO auth.revocations (user_id, least_epoch, expires_at)"
        f" VALUES ('{user.id}', 1, now() + interval '1 hour')"
    )
    for probe in ("UserService.ListSessions", "TaskService.ListTasks"):
        while await client.call(METHODS[probe], user.metadata) not in REFUSED:
            pass
    for name, method in METHODS.items():
        if not TABLE_ROWS[name].anonymous:
            assert await client.call(method, user.metadata) in REFUSED, name


def id_field(method: MethodDescriptor) -> FieldDescriptor | None:
    """Return the field with the id of the requested object, if there is one."""
    for field in method.input_type.fields:
        behaviour = field.GetOptions().Extensions[field_behavior_pb2.field_behavior]
        if field_behavior_pb2.REQUIRED in behaviour and (field.name == "id" or field.name.endswith("_id")):
            return field
    return None


async def upload_requests():
    data = b"title\nBuy milk\n"
    yield import_service_pb2.UploadImportRequest(options=import_service_pb2.UploadOptions(file_name="tasks.csv"))
    yield import_service_pb2.UploadImportRequest(chunk=data)
    yield import_service_pb2.UploadImportRequest(finish=import_service_pb2.UploadFinish(size=len(data)))


async def test_foreign_object_is_not_found_by_every_rpc(system, database, client):
    mona, sonu = await system.new_user("mona"), await system.new_user("sonu")
    task = await system.tasks.CreateTask(
        task_service_pb2.CreateTaskRequest(task=task_pb2.Task(title="Mine")), metadata=mona.metadata
    )
    created = await system.imports.UploadImport(upload_requests(), metadata=mona.metadata)
    async with grpc.aio.insecure_channel(system.auth_target) as channel:
        sessions = await user_service_pb2_grpc.UserServiceStub(channel).ListSessions(
            user_service_pb2.ListSessionsRequest(), metadata=mona.metadata
        )
    token_id = (await system.create_token(mona, "tasks:read")).id
    objects = {
        "TaskService": task.id,
        "HistoryService": task.id,
        "ImportService": created.id,
        "UserService": sessions.sessions[0].id,
        "TokenService": token_id,
    }
    checked = 0
    for name, method in METHODS.items():
        field = id_field(method)
        if field is None or "user" not in TABLE_ROWS[name].roles:
            continue
        foreign_id = {field.name: objects[method.containing_service.name]}
        code, _ = await client.call(method, sonu.metadata, **foreign_id)
        assert code == "NOT_FOUND", name
        checked += 1
    assert checked >= 8
    # The owner still reads it.
    found = await system.tasks.GetTask(task_service_pb2.GetTaskRequest(id=task.id), metadata=mona.metadata)
    assert found == task
