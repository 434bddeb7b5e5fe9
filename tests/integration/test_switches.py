"""Switches that an operator turns on by a command: read-only mode, and paused imports."""

import asyncio
from datetime import datetime

import grpc
import httpx2 as httpx
import pytest
from prometheus_client import REGISTRY
from taskmanager.auth.v1 import auth_service_pb2
from taskmanager.imports.v1 import import_pb2
from taskmanager.tasks.v1 import task_pb2, task_service_pb2

from chassis.settings import Listen
from deploy.local.host.free_ports import find_free_port
from tests.integration.held_reads import held
from tests.integration.task_service.calls import create, list_ids
from tests.integration.task_service.import_calls import Worker, batch, get, upload
from tests.support.commands import command_runner
from tests.support.grpc_calls import refused, until_accepted, until_refused
from tests.support.metrics import metric_value
from tests.support.system import PASSWORD
from tests.support.waiting import until, until_awaited

REASON = "We move to new disks until 18:00."
REGISTRATION = auth_service_pb2.RegisterRequest(username="mina", email="mina@example.com", password=PASSWORD)


@pytest.fixture(scope="module")
def metrics_port():
    """Port of task_service's health checks."""
    return find_free_port()


@pytest.fixture
def tasks_settings(metrics_port):
    """Settings of task_service, with health checks."""
    return {"metrics_listen": Listen("127.0.0.1", metrics_port)}


@pytest.fixture
def switch_tasks(database):
    """Function that runs the command `switch` of task_service and returns its output."""
    return _switch("task_service", {"TASKS_OWNER_DATABASE_URL": database.url("tasks_owner")})


@pytest.fixture
def switch_auth(database):
    """Function that runs the command `switch` of auth_service and returns its output."""
    return _switch("auth_service", {"AUTH_OWNER_DATABASE_URL": database.url("auth_owner")})


def _switch(service, settings):
    command = command_runner(service, next(iter(settings)).partition("_")[0], settings)

    async def switch(*arguments: str) -> str:
        status, out, err = await command("switch", *arguments)
        assert (status, err) == (0, "")
        return out

    return switch


@pytest.fixture
async def worker(system):
    """Client of the ingest API with the scope of an import worker."""
    return Worker(system, await system.new_service("imports:ingest"))


def switch_metric(name: str) -> float | None:
    return REGISTRY.get_sample_value("operator_switch_on", {"switch": name})


async def test_operator_sees_the_switches_in_statusz(system, metrics_port, switch_tasks):
    """Each switch is there, with its reason and its time while it is on."""
    await switch_tasks("imports_paused", "on", "--reason", REASON)
    await until(lambda: switch_metric("imports_paused") == 1)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{metrics_port}") as probes:
        read_only, paused = (await probes.get("/statusz")).json()["switches"]
    assert read_only == {"name": "read_only", "on": False}
    assert datetime.fromisoformat(paused.pop("since")).tzinfo is not None
    assert paused == {"name": "imports_paused", "on": True, "reason": REASON}


async def test_read_only_tasks_refuse_writes_with_the_reason(system, sonu, switch_tasks):
    """Reads go on, each write is UNAVAILABLE with the operator's reason, and after `off` writes work again."""
    task = await create(system, sonu, title="before")
    assert "read_only: on since" in await switch_tasks("read_only", "on", "--reason", REASON)
    status = await until_refused(lambda: create(system, sonu, title="refused"))
    assert (status.code, status.reason) == (grpc.StatusCode.UNAVAILABLE, "READ_ONLY")
    assert status.message == f"The service accepts no writes at the moment: {REASON}"
    assert status.retry_after_seconds == 30
    assert (await refused(upload(system, sonu))).reason == "READ_ONLY"
    assert task.id in await list_ids(system, sonu)
    await switch_tasks("read_only", "off")
    assert (await until_accepted(lambda: create(system, sonu, title="after"))).title == "after"


async def test_read_only_is_a_503_over_rest(system, sonu, rest, switch_tasks):
    """The error body and Retry-After come from the service."""
    await switch_tasks("read_only", "on", "--reason", REASON)
    await until_refused(lambda: create(system, sonu, title="refused"))
    response = await rest.post("/tasks", json={"title": "refused"})
    assert (response.status_code, response.headers["retry-after"]) == (503, "30")
    assert REASON in response.json()["error"]["message"]
    assert (await rest.get("/tasks")).status_code == httpx.codes.OK


async def test_background_work_waits_in_read_only_mode(system, sonu, switch_tasks, database):
    """No loop writes, and none counts as failed."""
    await create(system, sonu, title="before")
    await switch_tasks("read_only", "on", "--reason", REASON)
    await until_refused(lambda: create(system, sonu, title="refused"))
    failures = _failed_loops()
    blocks = database.rows("SELECT count(*) FROM tasks.history_blocks")
    begun = _progress("AppendBlocks")
    await until(lambda: _progress("AppendBlocks") > begun)
    assert database.rows("SELECT count(*) FROM tasks.history_blocks") == blocks
    assert _failed_loops() == failures


def _failed_loops() -> dict[str, float]:
    metrics = [metric for metric in REGISTRY.collect() if metric.name == "background_loop_failures"]
    return {
        sample.labels["loop"]: sample.value
        for metric in metrics
        for sample in metric.samples
        if sample.name.endswith("_total")
    }


def _progress(loop: str) -> float:
    return REGISTRY.get_sample_value("background_loop_succeeded_timestamp_seconds", {"loop": loop}) or 0


async def test_read_only_accounts_keep_sessions_and_services(system, sonu, switch_auth):
    """Nobody can register or log in, but access tokens work and services get theirs."""
    await switch_auth("read_only", "on", "--reason", REASON)
    login = auth_service_pb2.LoginRequest(email="sonu@example.com", password=PASSWORD)
    assert (await until_refused(lambda: system.auth.Login(login))).reason == "READ_ONLY"
    assert (await refused(system.auth.Register(REGISTRATION))).reason == "READ_ONLY"
    assert await list_ids(system, sonu) == []
    async with system.new_tasks_replica():
        """Its token and its first trust state come from a read-only auth_service."""


async def test_write_that_waits_for_a_connection_is_refused(system, database, sonu, switch_tasks):
    """It began before the switch was turned, and would get its connection afterwards."""
    await create(system, sonu, title="held")
    other = await system.new_user("other")
    lists = [lambda: list_ids(system, sonu)] * 4
    async with held(database, sonu, calls=lists, at_least=4):
        late = asyncio.ensure_future(create(system, sonu, title="late"))
        await until(lambda: metric_value("database_callers_waiting") > 0)
        await switch_tasks("read_only", "on", "--reason", REASON)
        assert (await until_refused(lambda: create(system, other, title="x"))).reason == "READ_ONLY"
    assert (await refused(late)).reason == "READ_ONLY"


async def test_replica_knows_the_switches_before_its_first_call(system, sonu, switch_tasks):
    """A replica that starts in read-only mode accepts no write."""
    await switch_tasks("read_only", "on", "--reason", REASON)
    async with system.new_tasks_replica() as tasks:
        request = task_service_pb2.CreateTaskRequest(task=task_pb2.Task(title="refused"))
        assert (await refused(tasks.CreateTask(request, metadata=sonu.metadata))).reason == "READ_ONLY"


async def test_paused_imports_wait_for_the_operator(system, sonu, worker, switch_tasks):
    """A file is accepted and says what it waits for, no worker gets it, and after `off` one does."""
    await switch_tasks("imports_paused", "on", "--reason", REASON)
    queued = await upload(system, sonu)

    async def waits() -> bool:
        return (await get(system, sonu, queued.id)).waits_for == import_pb2.Import.WAITS_FOR_OPERATOR

    await until_awaited(waits)
    assert await worker.claim() is None
    assert (await create(system, sonu, title="other work goes on")).id
    await switch_tasks("imports_paused", "off")

    async def is_free() -> bool:
        return (await get(system, sonu, queued.id)).waits_for == import_pb2.Import.WAITS_FOR_UNSPECIFIED

    await until_awaited(is_free)
    lease = await worker.claim()
    assert lease is not None
    assert lease.import_id == queued.id


async def test_running_import_stops_after_its_batch(system, sonu, worker, switch_tasks):
    """The batch is committed, the lease is released, and this is no attempt without progress."""
    queued = await upload(system, sonu)
    lease = await worker.claim()
    await switch_tasks("imports_paused", "on", "--reason", REASON)
    await until(lambda: switch_metric("imports_paused") == 1)
    status = await refused(worker.stream(lease, batch(lease.checkpoint, ["a", "", ""], size=5)))
    assert status.reason == "LEASE_LOST"
    found = await get(system, sonu, queued.id)
    assert (found.state, found.rows_created) == (import_pb2.Import.STATE_QUEUED, 1)
    await switch_tasks("imports_paused", "off")
    await until(lambda: switch_metric("imports_paused") == 0)
    again = await worker.claim()
    assert (again.import_id, again.checkpoint.records) == (queued.id, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["read_only"], "on or off is missing"),
        (["read_only", "on"], "`on` needs --reason"),
        (["read_only", "off", "--reason", "why"], "only `on` takes it"),
        (["read_only", "on", "--reason", "two\nlines"], "use one line of 1 to 200 printable characters"),
        (["imports", "on", "--reason", REASON], "invalid choice: 'imports'"),
    ],
)
async def test_wrong_arguments_are_named(database, arguments, message):
    """The command exits with 2 and turns nothing."""
    command = command_runner("task_service", "TASKS", {"TASKS_OWNER_DATABASE_URL": database.url("tasks_owner")})
    status, out, err = await command("switch", *arguments)
    assert (status, out) == (2, "")
    assert message in err
    assert database.rows("SELECT count(*) FROM tasks.operator_switches") == [(0,)]


async def test_only_the_owner_turns_switches(database):
    """The role of the service can't, so a service can't switch itself."""
    command = command_runner("task_service", "TASKS", {"TASKS_OWNER_DATABASE_URL": database.tasks_url})
    status, _, err = await command("switch", "read_only", "on", "--reason", REASON)
    assert (status, err) == (
        1,
        "Nothing was changed: TASKS_OWNER_DATABASE_URL must name the role tasks_owner.\n",
    )


async def test_command_without_arguments_prints_every_switch(switch_tasks):
    """Each switch has a line with its state, its time and its reason."""
    assert await switch_tasks() == "read_only: off\nimports_paused: off\n"
    await switch_tasks("imports_paused", "on", "--reason", REASON)
    first, second = (await switch_tasks()).splitlines()
    assert first == "read_only: off"
    assert second.startswith("imports_paused: on since 20")
    assert second.endswith(f": {REASON}")
