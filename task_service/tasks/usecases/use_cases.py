"""Use cases about tasks, as one object for the servicer and the background tasks."""

from dataclasses import dataclass

from task_service.idempotency.cleanup import DeleteExpiredIdempotencyRecords
from task_service.tasks.usecases.batches import BatchCreateTasks, BatchDeleteTasks, BatchGetTasks, BatchUpdateTasks
from task_service.tasks.usecases.events import ListTaskEvents
from task_service.tasks.usecases.export import ExportTasks
from task_service.tasks.usecases.tasks import CreateTask, GetTask, GetTaskStats, ListTasks, UpdateTask
from task_service.tasks.usecases.trash import DeleteTask, EmptyTrash, PurgeTask, UndeleteTask
from task_service.tasks.usecases.upserts import BatchUpsertTasks


@dataclass(frozen=True, slots=True, kw_only=True)
class TasksUseCases:
    """Use cases with their dependencies. bootstrap.py builds them."""

    create_task: CreateTask
    get_task: GetTask
    list_tasks: ListTasks
    export_tasks: ExportTasks
    get_task_stats: GetTaskStats
    update_task: UpdateTask
    delete_task: DeleteTask
    undelete_task: UndeleteTask
    purge_task: PurgeTask

    batch_get_tasks: BatchGetTasks
    batch_create_tasks: BatchCreateTasks
    batch_update_tasks: BatchUpdateTasks
    batch_delete_tasks: BatchDeleteTasks
    batch_upsert_tasks: BatchUpsertTasks

    list_task_events: ListTaskEvents
    empty_trash: EmptyTrash
    delete_expired_idempotency_records: DeleteExpiredIdempotencyRecords
