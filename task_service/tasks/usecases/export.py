"""Export of a list of tasks as one CSV file, in constant memory."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from uuid import UUID

from chassis.kernel.clock import Clock
from chassis.kernel.pagination import PageRequest
from task_service.csv_dialect.text import csv_chunks
from task_service.tasks.domain.csv_export import COLUMNS, csv_row
from task_service.tasks.domain.listed_task import ListedTask
from task_service.tasks.domain.task_query import TaskQuery
from task_service.tasks.usecases.ports import Scan, UserDirectory
from task_service.tasks.usecases.scans import ScanLimits, search_page


@dataclass(frozen=True, slots=True)
class ExportTasks:
    """Export the tasks of all pages of ListTasks as chunks of CSV text, the header line first.

    The first chunk also has the first tasks, so that an error at the start is raised before anything is sent.
    """

    scan: Scan
    user_directory: UserDirectory
    now: Clock
    limits: ScanLimits
    page_rows: int = 100
    """Rows of one query. With tasks of the maximum size a page is about 8 MB, and a caller can have 20 open exports."""

    async def __call__(self, query: TaskQuery, delimiter: str) -> AsyncIterator[str]:
        header: list[Sequence[str]] = [COLUMNS]
        async for tasks in self._pages(query):
            usernames = await self._usernames({task.assignee_id for task in tasks if task.assignee_id})
            rows = (csv_row(task, usernames) for task in tasks)
            for chunk in csv_chunks(chain(header, rows), delimiter):
                yield chunk
            header = []

    async def _usernames(self, assignee_ids: Collection[str]) -> Mapping[str, str]:
        if not assignee_ids:
            return {}
        usernames = await self.user_directory.usernames_by_id([UUID(assignee_id) for assignee_id in assignee_ids])
        return {str(user_id): username for user_id, username in usernames.items()}

    async def _pages(self, query: TaskQuery) -> AsyncIterator[Sequence[ListedTask]]:
        """Yield pages of tasks, each from a session of its own: a slow client must not hold a connection.

        A page reads a bounded number of rows, so it can be empty.
        """
        today = self.now().date()
        request = PageRequest(self.page_rows)
        while True:
            page = (await search_page(self.scan, query, request, today, self.limits)).page
            yield page.items
            if not page.next_token:
                return
            request = request.next_request(page)
