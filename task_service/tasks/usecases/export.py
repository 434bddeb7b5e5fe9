"""Export of a list of tasks as one CSV file, in constant memory."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from itertools import chain

from chassis.kernel.clock import Clock
from chassis.kernel.pagination import PageRequest
from task_service.csv_dialect.text import csv_chunks
from task_service.tasks.domain.csv_export import COLUMNS, csv_row
from task_service.tasks.domain.task_query import TaskQuery
from task_service.tasks.usecases.ports import Read, UserDirectory


@dataclass(frozen=True, slots=True)
class ExportTasks:
    """Export the tasks of all pages of ListTasks as chunks of CSV text, the header line first.

    The first chunk also has the first tasks, so that an error at the start is raised before anything is sent.
    """

    read: Read
    user_directory: UserDirectory
    now: Clock
    page_rows: int = 250
    """Rows of one query. With tasks of the maximum size, a page is about 40 MB."""

    async def __call__(self, query: TaskQuery) -> AsyncIterator[str]:
        today = self.now().date()
        request = PageRequest(self.page_rows)
        header: list[Sequence[str]] = [COLUMNS]
        while True:
            async with self.read() as session:  # per page: a slow client must not hold a connection
                page = await session.tasks.page(query, request, today)
            assignees = {task.assignee_id for task in page.items if task.assignee_id}
            usernames = await self.user_directory.usernames_by_id(assignees) if assignees else {}
            for chunk in csv_chunks(chain(header, (csv_row(task, usernames) for task in page.items))):
                yield chunk
            if not page.next_token:
                return
            request, header = request.next_request(page), []
