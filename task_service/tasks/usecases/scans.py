"""Reads of many tasks in steps. Between two steps other callers get the connection."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from operator import attrgetter
from time import monotonic
from typing import NamedTuple

from chassis.kernel.pagination import Page, PageRequest
from task_service.tasks.domain.listed_task import ListedTask
from task_service.tasks.domain.task_query import TaskQuery
from task_service.tasks.usecases.ports import Read


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanLimits:
    """Limits of what one call reads, whatever its filters (docs/adr/0014-bounded-reads.md)."""

    first_step_rows: int = 500
    """Rows that the first step reads; each further one reads four times as many, up to the maximum."""
    step_rows: int = 5_000
    search_step_rows: int = 2_000
    """Maximum of rows that one step reads. A search reads the texts too, of up to 20,000 characters each."""
    stats_step_rows: int = 20_000
    """Rows that one step of counts by status reads. Counts need all rows, and each step costs a round trip."""
    max_seconds: float = 0.015
    """Time after which a page begins no further step, and a total that has read enough rows."""
    min_counted_rows: int = 7_500
    max_total_seconds: float = 0.25
    """Rows that a total reads even on a slow database, and the time that it may take for them.

    A client can continue a short page, but not a total.
    """
    max_stats_seconds: float = 10.0
    """Time after which counts by status are refused; less than callers usually wait."""
    max_sorted: int = 10_000
    """Tasks that are sorted for an order that no index gives."""
    max_counted: int = 10_000
    """Matches that a total counts."""

    def step_sizes(self, query: TaskQuery) -> Iterator[int]:
        """Yield the maximum number of rows of each step. If the first rows come from a disk, there is no large step."""
        largest = self.search_step_rows if query.words else self.step_rows
        rows = self.first_step_rows
        while True:
            yield min(rows, largest)
            rows *= 4


class PageSearch(NamedTuple):
    """A page, and what was read for it."""

    page: Page[ListedTask]
    rows: int
    """Maximum number of rows that were read."""
    end: bytes
    """Key of the last of them; empty if the page is full or the list has ended."""

    @property
    def is_full(self) -> bool:
        """Return whether more tasks match than the page holds."""
        return bool(self.page.next_token) and not self.end


async def search_page(
    session: Read, query: TaskQuery, request: PageRequest, today: date, limits: ScanLimits
) -> PageSearch:
    """Return a page. If few tasks match, it may be short or empty and still have a next page.

    Raises QueryTooExpensive, InvalidPageToken.
    """
    found: list[ListedTask] = []
    rows = 0
    after, deadline = request.after, monotonic() + limits.max_seconds
    for max_rows in limits.step_sizes(query):
        async with session() as reader:
            section = await reader.task_lists.read_section(
                query,
                after,
                today,
                limit=request.size + 1 - len(found),
                max_rows=max_rows,
                max_sorted=limits.max_sorted,
            )
        found.extend(section.items)
        rows += max_rows
        after = section.end
        if not after or monotonic() >= deadline:
            break
    return PageSearch(request.page(found, attrgetter("page_key"), searched_to=after), rows, after)
