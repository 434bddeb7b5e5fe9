"""Wiring of the use cases about tasks. bootstrap.py of the service calls it."""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from uuid import UUID

from uuid_utils.compat import uuid7

from chassis.database.grouped_statement import GroupedStatement
from chassis.kernel.clock import utc_now
from chassis.rpc.request_context import mark_replayed
from task_service.connections import CallerConnections, caller_key
from task_service.idempotency.cleanup import DeleteExpiredIdempotencyRecords
from task_service.idempotency.transaction import IdempotentTransactions
from task_service.settings import TasksSettings
from task_service.tasks.domain.task import Task
from task_service.tasks.domain.task_events import TaskWithEvent
from task_service.tasks.persistence.task_json import (
    tasks_from_json,
    tasks_to_json,
    upsert_results_from_json,
    upsert_results_to_json,
)
from task_service.tasks.persistence.unit_of_work import SqlTasksReadSession, SqlTasksScanSession, SqlTasksUnitOfWork
from task_service.tasks.usecases.batches import BatchCreateTasks, BatchDeleteTasks, BatchGetTasks, BatchUpdateTasks
from task_service.tasks.usecases.events import ListTaskEvents
from task_service.tasks.usecases.export import ExportTasks
from task_service.tasks.usecases.ports import (
    Begin,
    TasksReadSession,
    TaskTransactions,
    UpsertTransactions,
    UserDirectory,
)
from task_service.tasks.usecases.scans import ScanLimits
from task_service.tasks.usecases.task_changes import ensure_all_visible
from task_service.tasks.usecases.tasks import CreateTask, GetTask, GetTaskStats, ListTasks, UpdateTask
from task_service.tasks.usecases.trash import DeleteTask, EmptyTrash, PurgeTask, UndeleteTask
from task_service.tasks.usecases.upserts import BatchUpsertTasks, ensure_results_visible
from task_service.tasks.usecases.use_cases import TasksUseCases

SCAN_LIMITS = ScanLimits()
"""Limits of lists, totals, counts and exports. Tests replace them."""


async def _find_tasks(session: TasksReadSession, task_ids: Sequence[UUID]) -> Sequence[Task | None]:
    return await session.tasks.get_each(task_ids)


async def _add_tasks(session: TasksReadSession, new: Sequence[TaskWithEvent]) -> Sequence[None]:
    await session.tasks.add_with_events(new)
    return [None] * len(new)


def tasks_use_cases(settings: TasksSettings, connections: CallerConnections, users: UserDirectory) -> TasksUseCases:
    """Build the use cases about tasks."""
    begin: Begin = partial(SqlTasksUnitOfWork, connections.writes)
    read = partial(SqlTasksReadSession, connections.reads)
    write_one = partial(SqlTasksReadSession, connections.writes)
    scan = partial(SqlTasksScanSession, connections.scans)
    retention = timedelta(days=settings.trash_retention_days)
    idempotent = partial(IdempotentTransactions, begin=begin, read=read, now=utc_now, on_replay=mark_replayed)
    transactions: TaskTransactions = idempotent(
        encode=tasks_to_json, decode=tasks_from_json, check_replay=ensure_all_visible
    )
    upsert_transactions: UpsertTransactions = idempotent(
        encode=upsert_results_to_json, decode=upsert_results_from_json, check_replay=ensure_results_visible
    )
    return TasksUseCases(
        create_task=CreateTask(
            transactions=transactions,
            write_one=write_one,
            add_task=GroupedStatement(write_one, _add_tasks, key=caller_key),
            user_directory=users,
            new_id=uuid7,
        ),
        get_task=GetTask(find_task=GroupedStatement(read, _find_tasks, key=caller_key)),
        list_tasks=ListTasks(read=read, scan=scan, now=utc_now, limits=SCAN_LIMITS),
        export_tasks=ExportTasks(scan=scan, user_directory=users, now=utc_now, limits=SCAN_LIMITS),
        get_task_stats=GetTaskStats(scan=scan, now=utc_now, limits=SCAN_LIMITS),
        update_task=UpdateTask(transactions=transactions, user_directory=users, now=utc_now, new_id=uuid7),
        delete_task=DeleteTask(transactions=transactions, now=utc_now, new_id=uuid7, retention=retention),
        undelete_task=UndeleteTask(transactions=transactions, now=utc_now, new_id=uuid7),
        purge_task=PurgeTask(transactions=transactions, now=utc_now, new_id=uuid7),
        batch_get_tasks=BatchGetTasks(read=read),
        batch_create_tasks=BatchCreateTasks(transactions=transactions, user_directory=users, new_id=uuid7),
        batch_update_tasks=BatchUpdateTasks(transactions=transactions, user_directory=users, now=utc_now, new_id=uuid7),
        batch_delete_tasks=BatchDeleteTasks(transactions=transactions, now=utc_now, new_id=uuid7, retention=retention),
        batch_upsert_tasks=BatchUpsertTasks(
            transactions=upsert_transactions, user_directory=users, now=utc_now, new_id=uuid7
        ),
        list_task_events=ListTaskEvents(read=read),
        empty_trash=EmptyTrash(begin=begin, now=utc_now, new_id=uuid7),
        delete_expired_idempotency_records=DeleteExpiredIdempotencyRecords(begin=begin, now=utc_now),
    )
