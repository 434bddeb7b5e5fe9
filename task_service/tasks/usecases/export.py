"""All tasks of a list as one CSV file, in memory that does not grow with it."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from itertools import chain

from chassis.kernel.clock import Clock
from chassis.kernel.pagination import PageRequest
from task_service.csv_dialect.text import csv_pieces
from task_service.imports.domain.upload_options import COLUMNS
from task_service.tasks.domain.csv_export import csv_row
from task_service.tasks.domain.task_query import TaskQuery
from task_service.tasks.usecases.ports import Reading, UserDirectory


@dataclass(frozen=True, slots=True)
class ExportTasks:
    """What ListTasks would show on all its pages, piece by piece, the header line first.

    The first piece holds the first tasks too, so that whatever is wrong from the start is told before anything is sent.
    """

    read: Callable[[], Reading]
    user_directory: UserDirectory
    now: Clock
    page_rows: int = 250
    """Of tasks that are as long as tasks can be, about 40 MB."""

    async def __call__(self, query: TaskQuery) -> AsyncIterator[str]:
        today = self.now().date()
        request = PageRequest(self.page_rows)
        header: list[Sequence[str]] = [COLUMNS]
        while True:
            async with self.read() as data:  # for each page anew: a slow reader must not keep a connection
                page = await data.tasks.page(query, request, today)
            assignees = {task.assignee_id for task in page.items if task.assignee_id}
            usernames = await self.user_directory.usernames_by_id(assignees) if assignees else {}
            for piece in csv_pieces(chain(header, (csv_row(task, usernames) for task in page.items))):
                yield piece
            if not page.next_token:
                return
            request, header = request.next_request(page), []
