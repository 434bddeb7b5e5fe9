"""Who may call what: every rpc, called as everybody, held against the table in docs/access.md."""

import importlib
import pkgutil
import re
from collections.abc import AsyncIterator
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

from auth_service.domain.service_accounts import Scope
from chassis.rpc.access import access_of
from chassis.rpc.errors import read_status
from tests.integration.conftest import PASSWORD

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
    """Everybody who may call an rpc, as the table says."""

    anonymous: bool
    roles: frozenset[str]
    scopes: frozenset[str]


def table() -> dict[str, Row]:
    found = {}
    for line in re.findall(r"^\| (\w+\.\w+ \|.*) \|$", TABLE.read_text(), re.MULTILINE):
        name, anonymous, *people, services = (cell.strip() for cell in line.split("|"))
        roles = frozenset(role for role, cell in zip(ROLES, people, strict=True) if cell == "yes")
        every = frozenset(scope.value for scope in Scope)
        scopes = every if services == "any" else frozenset(re.findall(r"[a-z]+:[a-z]+", services))
        found[name] = Row(anonymous == "yes", roles, scopes)
    return found


TABLE_ROWS = table()


def test_the_table_has_every_rpc_and_no_other():
    assert set(TABLE_ROWS) == set(METHODS)


@pytest.mark.parametrize("name", METHODS)
def test_the_contract_says_what_the_table_says(name):
    access, row = access_of(METHODS[name]), TABLE_ROWS[name]
    assert access is not None, "an rpc without a policy"
    assert access.public == row.anonymous
    if not access.public:
        assert {role.value for role in access.roles} == row.roles
        assert access.scopes == row.scopes


class Caller:
    """Calls any rpc of the system with any request."""

    def __init__(self, auth: grpc.aio.Channel, tasks: grpc.aio.Channel) -> None:
        self._auth, self._tasks = auth, tasks

    async def outcome(self, method: MethodDescriptor, metadata: Any, **fields: str) -> tuple[str, str]:
        """The status and the reason that the call ends with; of a stream, at its first message."""
        path = f"/{method.containing_service.full_name}/{method.name}"
        request, answer = GetMessageClass(method.input_type), GetMessageClass(method.output_type)
        of_auth = path.startswith(("/taskmanager.auth.", "/taskmanager.trust."))
        channel = self._auth if of_auth else self._tasks
        codec = (request.SerializeToString, answer.FromString)
        stubs: dict[tuple[bool, bool], Any] = {
            (False, False): channel.unary_unary,
            (False, True): channel.unary_stream,
            (True, False): channel.stream_unary,
            (True, True): channel.stream_stream,
        }
        stub = stubs[method.client_streaming, method.server_streaming](path, *codec)
        argument = nothing() if method.client_streaming else request(**fields)
        call = stub(argument, metadata=metadata, timeout=5)
        try:
            if method.server_streaming:
                await call.read()
                call.cancel()
            else:
                await call
        except grpc.aio.AioRpcError as error:
            status = read_status(error)
            return status.code.name, status.reason
        return "OK", ""


async def nothing() -> AsyncIterator[Any]:
    for message in list[Any]():
        yield message


@pytest.fixture
async def caller(system):
    async with (
        grpc.aio.insecure_channel(system.auth_target) as auth,
        grpc.aio.insecure_channel(system.tasks_target) as tasks,
    ):
        yield Caller(auth, tasks)


async def person(system, databases, role: str, name: str):
    """Somebody new of a role: some calls end the account or the session that makes them."""
    made = await system.auth.Register(
        auth_service_pb2.RegisterRequest(username=name, email=f"{name}@example.com", password=PASSWORD)
    )
    if role != "user":
        await databases.execute(f"UPDATE auth.users SET role = '{role}' WHERE id = '{made.id}'")
    return await system.login(f"{name}@example.com")


async def test_every_rpc_admits_whom_the_table_says_and_nobody_else(system, databases, caller):
    services = {scope.value: (await system.service(scope.value)).metadata for scope in Scope}
    admitted: dict[str, Row] = {}
    denied = ("PERMISSION_DENIED", "PERMISSION_DENIED")
    for number, (name, method) in enumerate(METHODS.items()):
        anonymous = await caller.outcome(method, ())
        roles = set()
        for role in ROLES:
            somebody = await person(system, databases, role, f"{role}{number}")
            found = await caller.outcome(method, somebody.metadata)
            assert found not in REFUSED, (name, role, found)
            if found != denied:
                roles.add(role)
        scopes = {scope for scope, own in services.items() if await caller.outcome(method, own) != denied}
        admitted[name] = Row(anonymous not in REFUSED, frozenset(roles), frozenset(scopes))
    assert admitted == TABLE_ROWS


async def test_whoever_is_disabled_is_a_stranger_to_every_rpc(system, databases, caller):
    somebody = await person(system, databases, "manager", "gone")
    await databases.execute(f"UPDATE auth.users SET disabled = true, epoch = 1 WHERE id = '{somebody.id}'")
    await databases.execute(
        "INSERT INTO auth.revocations (user_id, least_epoch, expires_at)"
        f" VALUES ('{somebody.id}', 1, now() + interval '1 hour')"
    )
    for probe in ("UserService.ListSessions", "TaskService.ListTasks"):
        while await caller.outcome(METHODS[probe], somebody.metadata) not in REFUSED:
            pass
    for name, method in METHODS.items():
        if not TABLE_ROWS[name].anonymous:
            assert await caller.outcome(method, somebody.metadata) in REFUSED, name


def id_field(method: MethodDescriptor) -> FieldDescriptor | None:
    """The field that names the object of a call, where it has one."""
    for field in method.input_type.fields:
        behaviour = field.GetOptions().Extensions[field_behavior_pb2.field_behavior]
        if field_behavior_pb2.REQUIRED in behaviour and (field.name == "id" or field.name.endswith("_id")):
            return field
    return None


async def uploaded():
    data = b"title\nBuy milk\n"
    yield import_service_pb2.UploadImportRequest(options=import_service_pb2.UploadOptions(file_name="tasks.csv"))
    yield import_service_pb2.UploadImportRequest(chunk=data)
    yield import_service_pb2.UploadImportRequest(finish=import_service_pb2.UploadFinish(size=len(data)))


async def test_anothers_object_is_not_there_whichever_rpc_asks_for_it(system, databases, caller):
    mona, sonu = await system.person("mona"), await system.person("sonu")
    task = await system.tasks.CreateTask(
        task_service_pb2.CreateTaskRequest(task=task_pb2.Task(title="Mine")), metadata=mona.metadata
    )
    made = await system.imports.UploadImport(uploaded(), metadata=mona.metadata)
    async with grpc.aio.insecure_channel(system.auth_target) as channel:
        sessions = await user_service_pb2_grpc.UserServiceStub(channel).ListSessions(
            user_service_pb2.ListSessionsRequest(), metadata=mona.metadata
        )
    objects = {
        "TaskService": task.id,
        "HistoryService": task.id,
        "ImportService": made.id,
        "UserService": sessions.sessions[0].id,
    }
    asked = 0
    for name, method in METHODS.items():
        field = id_field(method)
        if field is None or "user" not in TABLE_ROWS[name].roles:
            continue
        theirs = {field.name: objects[method.containing_service.name]}
        code, _ = await caller.outcome(method, sonu.metadata, **theirs)
        assert code == "NOT_FOUND", name
        asked += 1
    assert asked >= 7
    # All of it is still there for its owner.
    found = await system.tasks.GetTask(task_service_pb2.GetTaskRequest(id=task.id), metadata=mona.metadata)
    assert found == task
