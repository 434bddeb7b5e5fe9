"""Pages of events by cursor: a reader that goes on with next_cursor misses and repeats nothing."""

import grpc
import pytest
from taskmanager.tasks.v1 import history_service_pb2

from tests.integration.task_service.calls import create, delete, update
from tests.integration.task_service.history_log import writing_event
from tests.support.grpc_calls import expect_failure


async def page(system, person, **fields) -> history_service_pb2.ListEventsResponse:
    return await system.history.ListEvents(history_service_pb2.ListEventsRequest(**fields), metadata=person.metadata)


async def read_on(system, person, cursor: str, **fields) -> tuple[list[int], str]:
    """Return the revisions of the next page, and its cursor."""
    found = await page(system, person, cursor=cursor, **fields)
    return [event.revision for event in found.events], found.next_cursor


async def test_now_is_the_end_of_the_log(system, sonu):
    task = await create(system, sonu, title="a")
    revisions, cursor = await read_on(system, sonu, "now")
    assert revisions == []
    assert cursor
    assert await read_on(system, sonu, cursor) == ([], cursor)
    await update(system, sonu, task.id, title="b")
    revisions, later = await read_on(system, sonu, cursor)
    assert (revisions, later != cursor) == ([2], True)
    assert (await read_on(system, sonu, later))[0] == []


async def test_empty_page_moves_the_cursor_past_other_events(system, sonu):
    """The user has no new event, but does not read those of others again."""
    mina = await system.new_user("mina")
    (_, cursor) = await read_on(system, mina, "now")
    await create(system, sonu, title="a")
    revisions, later = await read_on(system, mina, cursor)
    assert revisions == []
    assert later != cursor
    admin = await system.new_admin()
    assert (await read_on(system, admin, cursor))[0] == [1]
    assert (await read_on(system, admin, later))[0] == []


async def test_cursor_and_page_token_lead_to_the_same_events(system, sonu):
    for title in "abcde":
        await create(system, sonu, title=title)
    whole = await page(system, sonu)
    assert len(whole.events) == 5
    assert not whole.next_page_token
    for start in ("", "-"):
        first = await page(system, sonu, page_size=2, cursor=start)
        second = await page(system, sonu, page_size=2, cursor=start, page_token=first.next_page_token)
        assert (await page(system, sonu, page_size=2, cursor=first.next_cursor)).events == second.events
        assert [*first.events, *second.events] == whole.events[:4]
        third = await page(system, sonu, page_size=2, cursor=second.next_cursor)
        assert (list(third.events), third.next_page_token) == (list(whole.events[4:]), "")
        assert third.next_cursor == whole.next_cursor


async def test_cursors_of_pages_and_streams_are_the_same(system, sonu):
    task = await create(system, sonu, title="a")
    cursor = (await page(system, sonu)).next_cursor
    await update(system, sonu, task.id, title="b")
    await delete(system, sonu, task.id)
    stream = system.history.WatchEvents(history_service_pb2.WatchEventsRequest(cursor=cursor), metadata=sonu.metadata)
    assert (await stream.read()).cursor == cursor
    message = await stream.read()
    assert message.event.revision == 2
    assert (await read_on(system, sonu, message.cursor))[0] == [3]
    stream.cancel()


async def test_cut_page_continues_after_its_last_event(system, sonu):
    """A response holds at most 2 MiB of events. Its cursor is that of its last event, not that of the whole page."""
    task = await create(system, sonu, title="a")
    for letter in "😀😁" * 8:
        await update(system, sonu, task.id, description=letter * 20_000)
    found: list[int] = []
    cursor, pages = "-", 0
    while pages == 0 or len(found) < 17:
        revisions, cursor = await read_on(system, sonu, cursor, page_size=200)
        assert revisions
        found += revisions
        pages += 1
    assert found == list(range(1, 18))
    assert pages > 1


async def test_newest_first_has_the_cursor_of_the_end(system, sonu):
    """A list that shows the newest events first is brought up to date from there."""
    for title in "abc":
        await create(system, sonu, title=title)
    newest = await page(system, sonu, page_size=1, newest_first=True)
    assert newest.next_page_token
    task = await create(system, sonu, title="d")
    later = await page(system, sonu, cursor=newest.next_cursor)
    assert [event.task_id for event in later.events] == [task.id]
    call = page(system, sonu, cursor=newest.next_cursor, newest_first=True)
    assert await expect_failure(call) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "CURSOR_WITH_NEWEST_FIRST",
        [("cursor", "CURSOR_WITH_NEWEST_FIRST")],
    )


@pytest.mark.parametrize("cursor", ["x", "é", "Now", "A" * 44])
async def test_invalid_cursor_is_one_clear_error(system, sonu, cursor):
    code, reason, violations = await expect_failure(page(system, sonu, cursor=cursor))
    assert (code, reason, violations) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "INVALID_CURSOR",
        [("cursor", "INVALID_CURSOR")],
    )


async def test_expired_cursor_says_so(system, sonu, command):
    """After a restore the client reads all tasks again and starts with a new cursor."""
    await create(system, sonu, title="a")
    cursor = (await page(system, sonu)).next_cursor
    assert (await command("expire_cursors"))[0] == 0
    code, reason, _ = await expect_failure(page(system, sonu, cursor=cursor))
    assert (code, reason) == (grpc.StatusCode.FAILED_PRECONDITION, "CURSOR_EXPIRED")
    assert (await read_on(system, sonu, "-"))[0] == [1]


async def test_events_that_commit_in_inverted_order_are_read(system, sonu, database):
    """The first transaction takes its number before the second one, and commits after it and after the reader."""
    await create(system, sonu, title="a")
    (_, cursor) = await read_on(system, sonu, "-")
    async with writing_event(database) as slow:
        await create(system, sonu, title="b")
        revisions, cursor = await read_on(system, sonu, cursor)
        now = (await page(system, sonu, cursor="now")).next_cursor
        await slow.commit()
    for start in (cursor, now):
        assert (await read_on(system, sonu, start))[0] == [2, 1]
    assert revisions == []
