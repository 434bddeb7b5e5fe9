"""Export of a list of tasks as one CSV file, in constant memory."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from uuid import UUID

from chassis.kernel.clock import Clock
from chassis.kernel.pagination import PageRequest
from task_service.csv_dialect.text import csv_chunks
from task_service.tasks.domain.csv_export import COLUMNS, csv_row
from task_service.tasks.domain.task import Task
from task_service.tasks.domain.task_query import Order, TaskQuery
from task_service.tasks.usecases.ports import Scan, UserDirectory
from task_service.tasks.usecases.scans import step_rows


@dataclass(frozen=True, slots=True)
class ExportTasks:
    """Export the tasks of all pages of ListTasks as chunks of CSV text, the header line first.

    The first chunk also has the first tasks, so that an error at the start is raised before anything is sent.
    """

    scan: Scan
    user_directory: UserDirectory
    now: Clock
    page_rows: int = 100
    """Rows of one query. With tasks of the maximum size a page is about 8 MB, and a caller can have 20 open exports."""

    async def __call__(self, query: TaskQuery, delimiter: str) -> AsyncIterator[str]:
        header: list[Sequence[str]] = [COLUMNS]
        async for tasks in self._pages(query):
            assignees = {task.assignee_id for task in tasks if task.assignee_id}
            usernames = await self.user_directory.usernames_by_id(assignees) if assignees else {}
            rows = (csv_row(task, usernames) for task in tasks)
            for chunk in csv_chunks(chain(header, rows), delimiter):
                yield chunk
            header = []

    async def _pages(self, query: TaskQuery) -> AsyncIterator[Sequence[Task]]:
        """Yield pages of tasks, each from a session of its own: a slow client must not hold a connection.

        In the order of created_at a page reads a bounded number of rows. An empty page is possible.
        """
        today = self.now().date()
        request = PageRequest(self.page_rows)
        until: UUID | None = None
        while True:
            async with self.scan() as session:
                if until is None and query.order is Order.CREATED_AT:
                    until = await session.tasks.find_step_end(query, request.after_id, step_rows(query))
                page = await session.tasks.page(query, request, today, until)
            yield page.items
            if page.next_token:
                request = request.next_request(page)
            elif until is not None:
                request, until = replace(request, after=until.bytes), None
            else:
                return
