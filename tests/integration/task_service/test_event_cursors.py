"""Readers of the event log: a cursor neither misses nor repeats an event, and expires with the log's epoch."""

import asyncio
from uuid import UUID

import grpc
import psycopg
import pytest
from taskmanager.tasks.v1 import history_service_pb2
from uuid_utils.compat import uuid7

from task_service.history.domain.event_log import LOG_START, EventQuery, LogPosition
from task_service.tasks.domain.task import TaskDraft, new_task
from task_service.tasks.domain.task_events import task_created
from tests.integration.task_service.calls import create, list_all_events
from tests.integration.task_service.history_log import ACTOR, OWNER
from tests.support.grpc_calls import expect_failure


async def test_open_transaction_without_events_delays_no_reader(system, sonu, database):
    """The transaction has written to another table, so it has a transaction id, and it stays open."""
    admin = await system.new_admin()
    async with await psycopg.AsyncConnection.connect(database.administrator_url) as other:
        await other.execute("CREATE TABLE public.other AS SELECT 1")
        task = await create(system, sonu, title="x")
        assert [event.task_id for event in await list_all_events(system, admin)] == [task.id]


@pytest.mark.parametrize("ends", ["commit", "rollback"])
async def test_announced_transaction_delays_readers_until_it_ends(log, ends):
    """It has taken its number, so the events of later transactions wait: nobody can know yet whether it commits."""
    await log.write()
    async with log.begin() as slow:
        number = await slow.events.take_transaction_number()
        await log.write()
        assert await horizon_of(log) <= number
        if ends == "commit":
            await slow.commit()
    assert await horizon_of(log) > number + 2


async def horizon_of(log) -> int:
    async with log.begin() as work:
        return await work.event_log.horizon()


async def test_reader_by_cursor_neither_misses_nor_repeats(log):
    """Twenty writers commit and roll back at once, while a reader goes from horizon to horizon."""
    written: set[UUID] = set()
    writing = 20

    async def write(writer: int) -> None:
        nonlocal writing
        for turn in range(15):
            task = new_task(TaskDraft(title="x").validate(), task_id=uuid7(), owner_id=OWNER, import_id=None)
            async with log.begin() as work:
                await work.events.record(task_created(task, by=ACTOR, event_id=uuid7()))
                await work.flush()
                await asyncio.sleep(0.001 * ((writer * 7 + turn) % 5))  # the others overtake this transaction
                if (writer + turn) % 4:
                    await work.commit()
                    written.add(task.id)
        writing -= 1

    found: list[UUID] = []

    async def read() -> None:
        after = LOG_START
        while True:
            is_last_round = not writing
            async with log.begin() as work:
                horizon = await work.event_log.horizon()
                events = (await work.event_log.scan(EventQuery(), after, horizon, limit=1000, max_scanned=1000)).events
            found.extend(entry.event.task_id for entry in events)
            after = max(after, LogPosition.before_transaction(horizon))
            if is_last_round:
                return

    await asyncio.gather(read(), *(write(number) for number in range(20)))
    assert len(found) == len(set(found))
    assert set(found) == written


async def test_restored_log_refuses_older_cursors(system, sonu, command):
    """After a restore an operator ends all cursors, because the log may lack events that clients have read."""
    admin = await system.new_admin()
    for title in ("a", "b"):
        await create(system, sonu, title=title)
    stream = system.history.WatchEvents(history_service_pb2.WatchEventsRequest(), metadata=sonu.metadata)
    cursor = (await stream.read()).cursor
    stream.cancel()
    page = await system.history.ListEvents(history_service_pb2.ListEventsRequest(page_size=1), metadata=admin.metadata)
    assert await command("expire_cursors") == (0, "All cursors of the event log have expired.\n", "")
    expired: tuple[grpc.StatusCode, str, list[tuple[str, str]]] = (
        grpc.StatusCode.FAILED_PRECONDITION,
        "CURSOR_EXPIRED",
        [],
    )
    watch = system.history.WatchEvents(history_service_pb2.WatchEventsRequest(cursor=cursor), metadata=sonu.metadata)
    assert await expect_failure(watch.read()) == expired
    following = history_service_pb2.ListEventsRequest(page_size=1, page_token=page.next_page_token)
    assert await expect_failure(system.history.ListEvents(following, metadata=admin.metadata)) == expired
    watch = system.history.WatchEvents(history_service_pb2.WatchEventsRequest(cursor="-"), metadata=sonu.metadata)
    assert not (await watch.read()).HasField("event")
    watch.cancel()
