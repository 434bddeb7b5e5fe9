"""Turns of batches: those of one caller run one after another, unless one takes long."""

import asyncio
from contextlib import AsyncExitStack
from functools import partial

import psycopg
import pytest
from taskmanager.tasks.v1 import task_pb2, task_service_pb2

from task_service.tasks.transport import task_servicer
from tests.integration.task_service.batch_calls import Update, create_all, update_all
from tests.integration.task_service.calls import create
from tests.support.waiting import until_awaited

LOCK_WAITS = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


async def blocked_batch(system, database, stack, person):
    """Start a batch that waits for the row of its task until the stack closes."""
    task = await create(system, person, title="a")
    locking = await stack.enter_async_context(await psycopg.AsyncConnection.connect(database.tasks_url))
    await locking.execute("SELECT FROM tasks.tasks WHERE id = %s FOR UPDATE", [task.id])
    blocked = asyncio.ensure_future(update_all(system, person, Update(id=task.id, task=task_pb2.Task(title="b"))))
    await until_awaited(partial(waits_for_a_lock, database))
    return blocked


async def waits_for_a_lock(database):
    return await database.execute(LOCK_WAITS) != []


@pytest.fixture
def long_turns(monkeypatch):
    monkeypatch.setattr(task_servicer, "MAX_BATCH_SECONDS", 60)


@pytest.mark.usefixtures("long_turns")
async def test_batches_of_a_caller_run_one_after_another(system, database):
    """Those of another caller, and single calls, do not wait for them."""
    sonu, mina = await system.new_user("sonu"), await system.new_user("mina")
    async with AsyncExitStack() as stack:
        blocked = await blocked_batch(system, database, stack, sonu)
        waiting = asyncio.ensure_future(create_all(system, sonu, "waiting"))
        assert len((await create_all(system, mina, "x")).tasks) == 1
        assert await create(system, sonu, title="single")
        assert (waiting.done(), await titles(system, sonu)) == (False, ["a", "single"])
    await asyncio.gather(blocked, waiting)
    assert await titles(system, sonu) == ["b", "single", "waiting"]


async def test_slow_batch_does_not_hold_up_the_next_one_for_long(system, database):
    sonu = await system.new_user("sonu")
    async with AsyncExitStack() as stack:
        blocked = await blocked_batch(system, database, stack, sonu)
        await create_all(system, sonu, "next")
        assert not blocked.done()
    await blocked


async def titles(system, person):
    response = await system.tasks.ListTasks(task_service_pb2.ListTasksRequest(), metadata=person.metadata)
    return sorted(task.title for task in response.tasks)
