"""Reads of many tasks in steps. Between two steps other callers get the connection."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from task_service.tasks.domain.task_query import IdRange, TaskQuery
from task_service.tasks.usecases.ports import Scan, Tasks

STEP_ROWS = 20_000
STEP_ROWS_WITH_SEARCH = 2_000
"""Rows that one step reads. A search reads the texts too, of up to 20,000 characters each."""

Result = TypeVar("Result")


def step_rows(query: TaskQuery) -> int:
    """Return the maximum number of rows that one step of the query reads."""
    return STEP_ROWS_WITH_SEARCH if query.words else STEP_ROWS


async def scan_in_steps(
    scan: Scan, query: TaskQuery, read: Callable[[Tasks, IdRange], Awaitable[Result]]
) -> AsyncIterator[Result]:
    """Yield the results of `read` for consecutive ranges of ids, each in a session of its own."""
    after = None
    while True:
        async with scan() as session:
            until = await session.tasks.find_step_end(query, after, step_rows(query))
            result = await read(session.tasks, IdRange(after, until))
        yield result
        if until is None:
            return
        after = until
