"""Concurrent calls of one caller that run as one statement: each has its own result, as if it were alone.

Lists of the caller hold the connections that it may have (held_reads.py), so its other calls wait for one together.
"""

import asyncio
from collections.abc import Awaitable
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest

from chassis.rpc.call_metrics import SERVER_IN_FLIGHT
from chassis.rpc.errors import read_status
from tests.integration.held_reads import disable_timeouts, held
from tests.integration.task_service.calls import create, get, list_ids
from tests.support.metrics import metric_value
from tests.support.waiting import until

SHARE = 4
"""Connections of one caller."""


@pytest.fixture
def tasks_settings(database):
    disable_timeouts(database)
    return {}


@asynccontextmanager
async def outcomes_together(system, database, person, *calls: Awaitable[object]):
    """Let calls wait for a connection together, and yield their results and errors."""
    other = await system.new_user("other")
    task = await create(system, other, title="other")
    lists = [lambda: list_ids(system, person)] * SHARE
    async with held(database, person, calls=lists, at_least=SHARE):
        before = SERVER_IN_FLIGHT.count
        outcomes = asyncio.gather(*calls, return_exceptions=True)
        await until(lambda: SERVER_IN_FLIGHT.count >= before + len(calls))
        await get(system, other, task.id)  # a call that began later is done, so these wait for their connection
    yield await outcomes


async def test_creates_that_wait_together_are_one_transaction(system, database, sonu):
    """All are created, each with its own event, and the events have the number of one transaction."""
    await create(system, sonu, title="held")
    titles = [f"title {number}" for number in range(10)]
    calls = [create(system, sonu, title=title, description="text", labels=["a", "b"]) for title in titles]
    async with outcomes_together(system, database, sonu, *calls) as tasks:
        assert [task.title for task in tasks] == titles
    rows = database.rows("""
        SELECT title, description, labels, changes ->> 'title', free_text::jsonb -> 'title' ->> 1, transaction_number
        FROM tasks.tasks JOIN tasks.task_events ON task_id = tasks.id WHERE title LIKE 'title%' ORDER BY title
    """)
    assert [row[:-1] for row in rows] == [(title, "text", ["a", "b"], None, title) for title in titles]
    assert len({row[-1] for row in rows}) == 1


async def test_create_with_a_taken_external_id_fails_alone(system, database, sonu):
    """A create with an external_id is never in a statement with others, because it may fail, or wait."""
    await create(system, sonu, title="held", external_id="taken")
    ids = {"a": "", "b": "taken", "c": ""}
    calls = [create(system, sonu, title=title, external_id=external_id) for title, external_id in ids.items()]
    async with outcomes_together(system, database, sonu, *calls) as (first, taken, last):
        assert (first.title, last.title) == ("a", "c")
    assert read_status(taken).reason == "EXTERNAL_ID_TAKEN"


async def test_reads_that_wait_together_have_their_own_results(system, database, sonu):
    """Each call gets its task, also if another one reads the same, and an id that does not exist is its error only.

    They need fewer connections than there are calls. The other user's call and background loops need some, too.
    """
    tasks = [await create(system, sonu, title=f"title {number}") for number in range(6)]
    ids = [task.id for task in (*tasks, *reversed(tasks))]
    calls = [get(system, sonu, task_id) for task_id in (*ids, str(uuid4()))]
    requests = metric_value("database_pool_requests_total", pool="task_service")
    async with outcomes_together(system, database, sonu, *calls) as (*found, missing):
        assert [task.id for task in found] == ids
    assert read_status(missing).reason == "TASK_NOT_FOUND"
    assert metric_value("database_pool_requests_total", pool="task_service") - requests < len(calls)
