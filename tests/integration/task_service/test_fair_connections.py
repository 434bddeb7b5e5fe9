"""One caller can't take the database connections that all callers need.

A row policy makes every read of one owner's tasks wait for an advisory lock, which the test holds. So the calls of that
owner hold their connections until the test ends, and another user must not notice.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import grpc
import psycopg
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from taskmanager.imports.v1 import import_service_pb2
from taskmanager.tasks.v1 import history_service_pb2, task_pb2, task_service_pb2

from chassis.database.pool import Pool, open_pool
from task_service.clients.fair_user_lookup import MAX_LOOKUPS_PER_CALLER
from task_service.tasks.persistence.unit_of_work import SqlTasksReadSession
from tests.integration.task_service.calls import create, list_ids, update
from tests.integration.task_service.import_calls import upload
from tests.support.grpc_calls import expect_failure
from tests.support.waiting import until

LOCK = 1
CALLS = 30
POLICY = """
    CREATE FUNCTION tasks.wait_for_test() RETURNS boolean LANGUAGE plpgsql VOLATILE COST 100000
        AS $$ BEGIN PERFORM pg_advisory_xact_lock_shared({lock}); RETURN true; END $$;
    GRANT EXECUTE ON FUNCTION tasks.wait_for_test TO tasks_app;
    ALTER TABLE tasks.tasks ENABLE ROW LEVEL SECURITY;
    CREATE POLICY hold ON tasks.tasks TO tasks_app
        USING (owner_id NOT IN ({owners}) OR tasks.wait_for_test()) WITH CHECK (true)
"""


@pytest.fixture
def tasks_settings(database):
    """Let calls wait for the lock as long as a test takes. It applies to connections that are opened later."""
    name = database.administrator_url.rpartition("/")[2]
    for role in ("tasks_app", "auth_app"):
        for setting in ("lock_timeout", "statement_timeout"):
            database.rows(f"ALTER ROLE {role} IN DATABASE {name} SET {setting} = '60s'")
    return {}


def waiting(database) -> int:
    return database.rows(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND NOT granted", LOCK
    )[0][0]


@asynccontextmanager
async def held(
    database, *owners, calls: Sequence[Callable[[], Awaitable[object]]], at_least: int, policy: str = POLICY
):
    """Hold the owners' reads, start the calls, and yield when `at_least` of them hold a connection."""
    names = ", ".join(f"'{owner.id}'" for owner in owners)
    await database.execute(policy.format(lock=LOCK, owners=names))
    async with await psycopg.AsyncConnection.connect(database.administrator_url, autocommit=True) as lock:
        await lock.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        running = [asyncio.ensure_future(call()) for call in calls]
        try:
            await until(lambda: waiting(database) >= at_least)
            yield running
        finally:
            for call in running:
                call.cancel()
            await asyncio.gather(*running, return_exceptions=True)


async def export(system, person, **fields) -> bytes:
    request = task_service_pb2.ExportTasksRequest(**fields)
    return b"".join([body.data async for body in system.tasks.ExportTasks(request, metadata=person.metadata)])


async def lists(system, person, **fields):
    return await system.tasks.ListTasks(task_service_pb2.ListTasksRequest(**fields), metadata=person.metadata)


async def stats(system, person):
    return await system.tasks.GetTaskStats(task_service_pb2.GetTaskStatsRequest(), metadata=person.metadata)


async def delete_batch(system, person, task_id):
    request = task_service_pb2.BatchDeleteTasksRequest(requests=[task_service_pb2.DeleteTaskRequest(id=task_id)])
    return await system.tasks.BatchDeleteTasks(request, metadata=person.metadata)


async def update_batch(system, person, task_id):
    change = task_service_pb2.UpdateTaskRequest(
        id=task_id, task=task_pb2.Task(title="y"), update_mask=FieldMask(paths=["title"])
    )
    request = task_service_pb2.BatchUpdateTasksRequest(requests=[change])
    return await system.tasks.BatchUpdateTasks(request, metadata=person.metadata)


async def use_everything(system, person) -> None:
    """Make one call of each kind, which must succeed."""
    task = await create(system, person, title="find me")
    assert await list_ids(system, person) == [task.id]
    assert await list_ids(system, person, q="find") == [task.id]
    assert (await lists(system, person, include_total=True)).total_size == 1
    assert (await stats(system, person)).total == 1
    assert b"find me" in await export(system, person)
    await update(system, person, task.id, title="found")
    request = history_service_pb2.ListTaskEventsRequest(task_id=task.id)
    assert len((await system.history.ListTaskEvents(request, metadata=person.metadata)).events) == 2
    await system.imports.ListImports(import_service_pb2.ListImportsRequest(), metadata=person.metadata)


NOISE: dict[str, Callable[..., Awaitable[Any]]] = {
    "search": lambda system, noisy, _: lists(system, noisy, q="a b c d"),
    "list": lambda system, noisy, _: lists(system, noisy),
    "order": lambda system, noisy, _: lists(system, noisy, order_by="title"),
    "total": lambda system, noisy, _: lists(system, noisy, include_total=True, page_size=1),
    "stats": lambda system, noisy, _: stats(system, noisy),
    "export": lambda system, noisy, _: export(system, noisy),
    "get": lambda system, noisy, task_id: system.tasks.GetTask(
        task_service_pb2.GetTaskRequest(id=task_id), metadata=noisy.metadata
    ),
    "update": lambda system, noisy, task_id: update(system, noisy, task_id, title="y"),
    "same key": lambda system, noisy, task_id: update(system, noisy, task_id, title="y", key="k"),
    "delete batch": delete_batch,
    "update batch": update_batch,
}


@pytest.mark.parametrize("kind", NOISE)
async def test_quiet_user_notices_no_noisy_user(system, database, kind):
    """A user whose calls hold all the connections that it can get delays no other user."""
    noisy, quiet = await system.new_user("noisy"), await system.new_user("quiet")
    task = await create(system, noisy, title="a b c d")
    calls = [lambda: NOISE[kind](system, noisy, task.id)] * CALLS
    async with held(database, noisy, calls=calls, at_least=1):
        await use_everything(system, quiet)


async def test_scans_leave_connections_for_plain_calls(system, database):
    """The searches of many users hold at most three connections, and calls that an index serves still succeed."""
    noisy = [await system.new_user(f"noisy-{number}") for number in range(4)]
    quiet = await system.new_user("quiet")
    for one in noisy:
        await create(system, one, title="a")
    calls = [partial(lists, system, one, q="a") for one in noisy for _ in range(CALLS // 4)]
    async with held(database, *noisy, calls=calls, at_least=3):
        task = await create(system, quiet, title="plain")
        assert await list_ids(system, quiet) == [task.id]
        assert waiting(database) == 3


async def test_workers_and_background_work_have_connections(system, database, worker):
    """When users hold all connections for callers, a worker still gets an import."""
    noisy = [await system.new_user(f"noisy-{number}") for number in range(3)]
    quiet = await system.new_user("quiet")
    for one in noisy:
        await create(system, one, title="a")
    await upload(system, quiet)
    calls = [partial(lists, system, one) for one in noisy for _ in range(CALLS // 3)]
    async with held(database, *noisy, calls=calls, at_least=8):
        assert waiting(database) == 8
        assert await worker.claim() is not None


async def test_lookups_of_one_caller_leave_logins_alone(system, database):
    """Calls that wait for auth_service do not take the database connections that a login needs."""
    noisy, held_user = await system.new_user("noisy"), await system.new_user("held")
    policy = POLICY.replace("tasks.", "auth.").replace("auth.tasks", "auth.users").replace("tasks_app", "auth_app")
    policy = policy.replace("owner_id", "id")
    calls = [lambda: create(system, noisy, title="x", assignee_id=held_user.id)] * CALLS
    async with held(database, held_user, calls=calls, at_least=3, policy=policy):
        await system.new_user("quiet")
        assert await list_ids(system, noisy) == []
        assert waiting(database) <= MAX_LOOKUPS_PER_CALLER


async def test_nested_connections_are_found(database, no_nested_connections):
    """The check that every test of the services runs sees a second connection of one call."""

    async def take_two(pool: Pool) -> None:
        async with SqlTasksReadSession(pool), SqlTasksReadSession(pool):
            pass

    async with open_pool(database.tasks_url, name="test", size=2) as pool:
        await asyncio.create_task(take_two(pool))
    assert len(no_nested_connections) == 1
    no_nested_connections.clear()


async def test_waiting_too_long_for_a_turn_is_overload(system, database):
    """A caller with more calls than its share learns that it must slow down; this is no outage."""
    noisy = await system.new_user("noisy")
    await create(system, noisy, title="a")
    async with held(database, noisy, calls=[lambda: lists(system, noisy)] * 5, at_least=4) as running:
        done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        assert await expect_failure(done.pop()) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", [])


async def test_search_is_stopped_after_three_seconds(system, database):
    """The caller learns that the search is too expensive; the role's timeout, of a minute here, does not apply."""
    sonu = await system.new_user("sonu")
    await create(system, sonu, title="a")
    async with held(database, sonu, calls=[lambda: lists(system, sonu, q="a")], at_least=1) as (search,):
        assert await expect_failure(search) == (
            grpc.StatusCode.INVALID_ARGUMENT,
            "QUERY_TOO_EXPENSIVE",
            [],
        )


@pytest.mark.parametrize("kind", NOISE)
async def test_only_stopped_scans_are_too_expensive(system, database, kind):
    """Other statements that Postgres stops are an outage, also the page of a list with a total."""
    sonu = await system.new_user("sonu")
    task = await create(system, sonu, title="a b c d")
    calls = [lambda: NOISE[kind](system, sonu, task.id)]
    async with held(database, sonu, calls=calls, at_least=1) as (call,):
        database.rows("SELECT pg_cancel_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = %s", LOCK)
        code, reason, _ = await expect_failure(call)
    too_expensive = (grpc.StatusCode.INVALID_ARGUMENT, "QUERY_TOO_EXPENSIVE")
    outage = (grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE")
    scans = {"search", "order", "stats", "export"}
    assert (code, reason) == (too_expensive if kind in scans else outage)
