"""The use cases of history, as one object for the servicer and the background tasks."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

from chassis.kernel.identity import Caller
from chassis.kernel.pagination import Page, PageRequest
from task_service.history.domain.events import TaskEvent
from task_service.history.usecases.events import ListEvents, WatchEvents
from task_service.history.usecases.hash_chain import AppendBlocks, GetAuditHead

ListTaskEvents = Callable[[Caller, UUID, PageRequest], Awaitable[Page[TaskEvent]]]
"""Lists the events of a task that the caller may see. The tasks context implements it: it knows who sees a task."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryUseCases:
    list_task_events: ListTaskEvents
    list_events: ListEvents
    watch_events: WatchEvents
    get_audit_head: GetAuditHead
    append_blocks: AppendBlocks
