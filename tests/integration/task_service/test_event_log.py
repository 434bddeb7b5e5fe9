"""Event log: pages and a stream of events."""

import asyncio
from contextlib import suppress
from uuid import UUID

import grpc
import pytest
from taskmanager.tasks.v1 import history_service_pb2

from task_service.history.domain.event_log import Cursor, LogPosition
from tests.integration.task_service.calls import create, delete, list_all_events, purge, update
from tests.integration.task_service.history_log import writing_event
from tests.support.grpc_calls import expect_failure

Action = history_service_pb2.TaskEvent.Action


@pytest.fixture
async def admin(system):
    return await system.new_admin()


def watch(system, person, cursor: str = "", **fields):
    request = history_service_pb2.WatchEventsRequest(cursor=cursor, **fields)
    return system.history.WatchEvents(request, metadata=person.metadata)


async def test_log_has_all_events_in_commit_order(system, sonu, admin):
    mina = await system.new_user("mina")
    first, second = await create(system, sonu, title="a"), await create(system, mina, title="b")
    await update(system, sonu, first.id, title="c")
    await delete(system, mina, second.id)
    await purge(system, admin, second.id)
    expected = [
        (first.id, Action.ACTION_CREATED),
        (second.id, Action.ACTION_CREATED),
        (first.id, Action.ACTION_UPDATED),
        (second.id, Action.ACTION_DELETED),
        (second.id, Action.ACTION_PURGED),
    ]
    assert [(event.task_id, event.action) for event in await list_all_events(system, admin, page_size=2)] == expected
    newest = await list_all_events(system, admin, page_size=2, newest_first=True)
    assert [(event.task_id, event.action) for event in newest] == expected[::-1]


async def test_log_is_filtered_by_every_parameter(system, sonu, admin):
    mina = await system.new_user("mina")
    mine = await create(system, sonu, title="a", assignee_id=mina.id)
    hers = await create(system, mina, title="b")
    changed = await update(system, mina, mine.id, title="c")
    all_events = await list_all_events(system, admin)
    for fields, indexes in (
        ({"task_id": mine.id}, [0, 2]),
        ({"owner_id": mina.id}, [1]),
        ({"actor_id": mina.id}, [1, 2]),
        ({"action": [Action.ACTION_UPDATED, Action.ACTION_PURGED]}, [2]),
        ({"occurred_before": changed.updated_at}, [0, 1]),
        ({"occurred_after": hers.created_at}, [2]),
        ({"request_id": all_events[1].request_id}, [1]),
        ({"actor_id": mina.id, "task_id": mine.id}, [2]),
    ):
        assert await list_all_events(system, admin, **fields) == [all_events[index] for index in indexes], fields


async def test_all_invalid_parameters_are_reported_together(system, admin):
    request = history_service_pb2.ListEventsRequest(
        task_id="x",
        owner_id="x",
        actor_id="x",
        action=[99],  # type: ignore[list-item]
        request_id="a\0",
    )
    code, _, violations = await expect_failure(system.history.ListEvents(request, metadata=admin.metadata))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert [field for field, _ in violations] == ["action", "request_id", "task_id", "owner_id", "actor_id"]


async def test_pages_do_not_skip_an_event_that_commits_late(system, sonu, admin, database):
    """A reader that pages by id would read the second event, continue after it and miss the first."""
    first = await create(system, sonu, title="first")
    (first_event,) = await list_all_events(system, admin)
    async with writing_event(database) as slow:
        await create(system, sonu, title="second")
        page = await system.history.ListEvents(
            history_service_pb2.ListEventsRequest(page_size=1), metadata=admin.metadata
        )
        assert (list(page.events), page.next_page_token) == ([first_event], "")
        await slow.commit()
    after = await list_all_events(system, admin, page_size=1)
    assert [event.request_id for event in after[:2]] == [first_event.request_id, "late"]
    assert len(after) == 3
    assert after[0].task_id == first.id


async def test_reopened_stream_neither_loses_nor_repeats_events(system, sonu):
    """Forty tasks are created at once while the reader disconnects after every three events."""
    stream = watch(system, sonu)
    start = await stream.read()
    assert not start.HasField("event")
    stream.cancel()
    writing = asyncio.gather(*(create(system, sonu, title=str(number)) for number in range(40)))
    seen: list[str] = []
    cursor = start.cursor
    while len(seen) < 40:
        stream = watch(system, sonu, cursor)
        with suppress(asyncio.CancelledError):
            assert not (await stream.read()).HasField("event")
            for _ in range(3):
                message = await asyncio.wait_for(stream.read(), 20)
                seen.append(message.event.task_id)
                cursor = message.cursor
                if len(seen) == 40:
                    break
        stream.cancel()
    assert len(set(seen)) == 40
    assert set(seen) == {task.id for task in await writing}


async def test_stream_shows_users_only_their_own_events(system, sonu, admin):
    mina, robot = await system.new_user("mina"), await system.new_service("tasks:read")
    await create(system, mina, title="hers")
    mine = await create(system, sonu, title="mine")
    assigned = await create(system, mina, title="assigned", assignee_id=sonu.id)
    await delete(system, sonu, mine.id)
    await purge(system, admin, mine.id)
    expected = [mine.id, assigned.id, mine.id, mine.id]
    for person, count in ((sonu, 4), (admin, 5), (robot, 5)):
        stream = watch(system, person, "-")
        await stream.read()
        received = [(await stream.read()).event for _ in range(count)]
        stream.cancel()
        assert [event.task_id for event in received][-4:] == expected
        assert received[-1].action == Action.ACTION_PURGED


async def test_stream_can_be_filtered_by_task(system, sonu):
    await create(system, sonu, title="other")
    task = await create(system, sonu, title="x")
    stream = watch(system, sonu, "-", task_id=task.id)
    await stream.read()
    assert (await stream.read()).event.task_id == task.id
    stream.cancel()


async def test_empty_cursor_starts_now(system, sonu):
    await create(system, sonu, title="before")
    stream = watch(system, sonu)
    await stream.read()
    task = await create(system, sonu, title="after")
    assert (await asyncio.wait_for(stream.read(), 20)).event.task_id == task.id
    stream.cancel()


@pytest.mark.parametrize("cursor", ["x", "é", "A" * 31, Cursor(1, LogPosition(1, UUID(int=1))).to_text()[:-4]])
async def test_invalid_cursor_is_rejected(system, sonu, cursor):
    call = watch(system, sonu, cursor).read()
    assert await expect_failure(call) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "INVALID_CURSOR",
        [("cursor", "INVALID_CURSOR")],
    )
