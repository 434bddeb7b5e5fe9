"""One caller can't take the database connections that all callers need.

The reads of one owner wait for a lock that the test holds (held_reads.py). So the calls of that owner hold their
connections until the test ends, and another user must not notice.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from taskmanager.imports.v1 import import_service_pb2
from taskmanager.tasks.v1 import history_service_pb2, task_pb2, task_service_pb2

from chassis.database.pool import Pool, open_pool
from task_service.clients.fair_user_lookup import MAX_LOOKUPS_PER_CALLER
from task_service.tasks.persistence.unit_of_work import SqlTasksReadSession
from tests.integration.held_reads import LOCK, USERS, disable_timeouts, held, waiting
from tests.integration.task_service.calls import create, list_ids, update
from tests.integration.task_service.import_calls import upload
from tests.support.grpc_calls import expect_failure

CALLS = 30


@pytest.fixture
def tasks_settings(database):
    disable_timeouts(database)
    return {}


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
    calls = [lambda: create(system, noisy, title="x", assignee_id=held_user.id)] * CALLS
    async with held(database, held_user, calls=calls, at_least=3, table=USERS):
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
