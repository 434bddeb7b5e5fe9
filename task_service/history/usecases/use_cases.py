"""Use cases of history, as one object for the servicer and the background tasks."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

from chassis.kernel.identity import Caller
from chassis.kernel.pagination import Page, PageRequest
from task_service.history.domain.events import TaskEvent
from task_service.history.usecases.events import ListEvents, WatchEvents
from task_service.history.usecases.hash_chain import AppendBlocks, GetAuditHead

ListTaskEvents = Callable[[Caller, UUID, PageRequest], Awaitable[Page[TaskEvent]]]
"""Use case that lists the events of a task. The tasks context implements it, because it decides who may see a task."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryUseCases:
    """Use cases with their dependencies. bootstrap.py builds them."""

    list_task_events: ListTaskEvents
    list_events: ListEvents
    watch_events: WatchEvents
    get_audit_head: GetAuditHead
    append_blocks: AppendBlocks
