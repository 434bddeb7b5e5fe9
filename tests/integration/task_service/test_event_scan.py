"""Rare matches: lists and streams of events read the log in sections of limited size."""

from collections.abc import Hashable
from contextlib import suppress
from uuid import uuid4

import pytest
from uuid_utils.compat import uuid7

from chassis.kernel.identity import Caller
from chassis.kernel.pagination import PageRequest
from chassis.kernel.turns import TakeTurn
from task_service.history.domain.event_log import LOG_START, Cursor, EventQuery, LoggedEvent, LogPosition
from task_service.history.persistence.unit_of_work import SqlHistoryReadSession
from task_service.history.usecases.events import (
    CURSOR_INTERVAL_POLLS,
    MAX_SCANNED,
    POLL_SECONDS,
    ListEvents,
    WatchEvents,
)
from task_service.tasks.domain.task import TaskDraft, new_task
from task_service.tasks.domain.task_events import task_created
from tests.integration.task_service.history_log import ACTOR

STRANGER = uuid4()
USER = Caller(STRANGER, "user", frozenset(), None, "")
ADMIN = Caller(uuid4(), "admin", frozenset(), None, "")


class SleptLongEnough(Exception):
    """Ends an endless stream."""


async def record_event_of(log, owner_id) -> None:
    task = new_task(TaskDraft(title="x").validate(), task_id=uuid7(), owner_id=owner_id, import_id=None)
    async with log.begin() as work:
        await work.events.record(task_created(task, by=ACTOR, event_id=uuid7()))
        await work.commit()


async def no_wait(_: Hashable) -> None:
    """Take a turn at once."""


def watch(log, start, *, max_sleeps: int = 1, take_turn: TakeTurn = no_wait):
    sleeps = 0

    async def sleep(seconds: float) -> None:
        nonlocal sleeps
        assert seconds == POLL_SECONDS
        sleeps += 1
        await log.fill(1)  # somebody else's event, in each second
        if sleeps == max_sleeps:
            raise SleptLongEnough

    stream = WatchEvents(
        read=lambda: SqlHistoryReadSession(log.pool),
        sleep=sleep,
        take_turn=take_turn,
        is_draining=lambda: False,
    )
    return stream(USER, EventQuery(), start)


async def read_all(stream) -> list[tuple[LoggedEvent | None, Cursor]]:
    """Return the messages of a stream until SleptLongEnough ends it."""
    messages = []
    with suppress(SleptLongEnough):
        async for message in stream:
            messages.append(message)  # noqa: PERF401 - the exception would discard a comprehension's result
    return messages


@pytest.mark.parametrize("newest_first", [False, True])
async def test_list_reads_a_section_for_each_page(log, newest_first):
    """The only match is behind 2.5 sections of other events: two pages are empty, and the third has it."""
    if newest_first:
        await record_event_of(log, STRANGER)
    await log.fill(5 * MAX_SCANNED // 2)
    if not newest_first:
        await record_event_of(log, STRANGER)
    list_events = ListEvents(read=lambda: SqlHistoryReadSession(log.pool))
    query = EventQuery(owner_id=STRANGER, newest_first=newest_first)
    counts: list[int] = []
    token = ""
    while not counts or token:
        page = (await list_events(ADMIN, query, PageRequest.parse(1, token, query=""), LOG_START)).page
        counts.append(len(page.items))
        token = page.next_token
    assert counts == [0, 0, 1]


@pytest.mark.parametrize("newest_first", [False, True])
async def test_sections_of_a_user_count_only_their_events(log, newest_first):
    """Filters read the user's own 12 events in sections. The 20,000 events of others are in no section."""
    list_events = ListEvents(read=lambda: SqlHistoryReadSession(log.pool))
    for _ in range(2):
        await log.fill(MAX_SCANNED)
        for _ in range(6):
            await record_event_of(log, STRANGER)
    async with log.begin() as work:
        query = EventQuery(visible_to=STRANGER, actor_id=uuid4(), newest_first=newest_first)
        start, horizon = (None if newest_first else LOG_START), await work.event_log.horizon()
        ends: list[LogPosition | None] = []
        while not ends or start:
            scan = await work.event_log.scan(query, start, horizon, limit=10, max_scanned=5)
            assert not scan.events
            start = scan.end
            ends.append(start)
    assert [end is not None for end in ends] == [True, True, False]
    request = PageRequest.parse(200, "", query="")
    found = await list_events(USER, EventQuery(owner_id=STRANGER, newest_first=newest_first), request, LOG_START)
    assert (len(found.page.items), found.page.next_token) == (12, "")


async def test_stream_finds_events_behind_those_of_others(log):
    """The user's event comes at once, without messages for the sections of the log before it."""
    await log.fill(5 * MAX_SCANNED // 2)
    await record_event_of(log, STRANGER)
    messages = await read_all(watch(log, LOG_START))
    assert [logged is not None for logged, _ in messages] == [False, True]


async def test_stream_takes_turns_of_its_caller(log):
    """It takes one before its query and one before each event, so that the streams of a caller wait for each other."""
    for _ in range(3):
        await record_event_of(log, STRANGER)
    turns: list[tuple[Hashable, int]] = []
    messages: list[object] = []

    async def take_turn(caller: Hashable) -> None:
        turns.append((caller, len(messages)))

    with suppress(SleptLongEnough):
        async for message in watch(log, LOG_START, take_turn=take_turn):
            messages.append(message)  # noqa: PERF401 - the exception would discard a comprehension's result
    assert turns == [(STRANGER, sent) for sent in (1, 1, 2, 3)]


async def test_quiet_stream_moves_its_cursor_from_time_to_time(log):
    """Other users' events pass once a second. Every fifteen seconds the client learns how far the log was read."""
    messages = await read_all(watch(log, None, max_sleeps=2 * CURSOR_INTERVAL_POLLS + 1))
    assert [logged for logged, _ in messages] == [None, None, None]
    cursors = [cursor for _, cursor in messages]
    assert cursors == sorted(set(cursors))
