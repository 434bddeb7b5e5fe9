"""Statements of concurrent calls with the same key run as one."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar

import pytest

from chassis.database import grouped_statement
from chassis.database.grouped_statement import MAX_ITEMS, GroupedStatement

caller: ContextVar[str] = ContextVar("caller", default="")


class Database:
    """Connections that a test hands out, and statements that double numbers."""

    def __init__(self) -> None:
        self.connections = asyncio.Semaphore(0)
        self.statements: list[list[int]] = []
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.double = GroupedStatement(self.session, self.run, key=caller.get)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[None]:
        async with self.connections:
            yield

    async def run(self, _: None, numbers: Sequence[int]) -> Sequence[int]:
        self.statements.append(list(numbers))
        await self.go_on.wait()
        if 0 in numbers:
            raise ValueError("no number")
        return [2 * number for number in numbers]

    def call(self, number: int, by: str = "sonu") -> asyncio.Task[int]:
        async def call() -> int:
            caller.set(by)
            return await self.double(number)

        return asyncio.create_task(call())

    async def until_waiting(self) -> None:
        """Let the calls so far wait for a connection."""
        for _ in range(5):
            await asyncio.sleep(0)


@pytest.fixture
async def database():
    return Database()


async def test_calls_that_wait_for_a_connection_share_a_statement(database):
    """Each gets the result of its own item. Those after the beginning of the statement get another one."""
    first = [database.call(number) for number in (1, 2, 3)]
    await database.until_waiting()
    first.append(database.call(4))
    database.go_on.clear()
    database.connections.release()
    await database.until_waiting()
    later = database.call(5)
    await database.until_waiting()
    database.connections.release()
    database.go_on.set()
    assert await asyncio.gather(*first, later) == [2, 4, 6, 8, 10]
    assert database.statements == [[1, 2, 3, 4], [5]]


async def test_other_callers_have_other_statements(database):
    calls = [database.call(1, by="sonu"), database.call(2, by="mina"), database.call(3, by="sonu")]
    await database.until_waiting()
    database.connections.release()
    assert await asyncio.gather(*calls) == [2, 4, 6]
    assert sorted(database.statements) == [[1, 3], [2]]


async def test_statement_has_a_bounded_number_of_items(database):
    calls = [database.call(number + 1) for number in range(2 * MAX_ITEMS + 1)]
    await database.until_waiting()
    database.connections.release()
    assert await asyncio.gather(*calls) == [2 * (number + 1) for number in range(2 * MAX_ITEMS + 1)]
    assert sorted(map(len, database.statements)) == [1, MAX_ITEMS, MAX_ITEMS]


async def test_late_call_joins_no_group_that_has_waited_long(database, monkeypatch):
    """It would otherwise fail with the group, whose wait for a connection ends before its own."""
    monkeypatch.setattr(grouped_statement, "MAX_JOIN_SECONDS", 0.0)
    calls = [database.call(1), database.call(2)]
    await database.until_waiting()
    database.connections.release()
    assert await asyncio.gather(*calls) == [2, 4]
    assert database.statements == [[1], [2]]


async def test_cancelled_group_ends_its_calls(database):
    """No call waits for ever, and no later call joins the group."""
    call = database.call(1)
    await database.until_waiting()
    (group,) = database.double._forming.values()
    group.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    later = database.call(2)
    await database.until_waiting()
    database.connections.release()
    assert await later == 4


async def test_error_of_the_statement_is_the_error_of_each_call(database):
    calls = [database.call(0), database.call(1)]
    await database.until_waiting()
    database.connections.release()
    assert [str(error) for error in await asyncio.gather(*calls, return_exceptions=True)] == ["no number"] * 2
    assert await database.call(1) == 2


async def test_cancelled_call_is_left_out(database):
    cancelled, other = database.call(1), database.call(2)
    await database.until_waiting()
    cancelled.cancel()
    await database.until_waiting()
    database.connections.release()
    assert await other == 4
    assert database.statements == [[2]]


@pytest.mark.parametrize("has_begun", [False, True])
async def test_statement_ends_with_its_last_call(database, has_begun):
    """Its connection is free for the next statement, which a later call does not share with it."""
    calls = [database.call(1), database.call(2)]
    database.go_on.clear()
    await database.until_waiting()
    if has_begun:
        database.connections.release()
        await database.until_waiting()
    for call in calls:
        call.cancel()
    await database.until_waiting()
    assert database.connections.locked() is not has_begun
    later = database.call(3)
    if not has_begun:
        database.connections.release()
    database.go_on.set()
    assert await later == 6
    assert database.statements == ([[1, 2], [3]] if has_begun else [[3]])
