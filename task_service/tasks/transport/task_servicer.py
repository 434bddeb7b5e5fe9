"""gRPC servicer of TaskService."""

from collections.abc import AsyncIterator

from google.api import httpbody_pb2
from taskmanager.tasks.v1 import task_pb2, task_service_pb2, task_service_pb2_grpc

from chassis.kernel.cooperation import iterate_cooperatively
from chassis.kernel.ids import parse_id
from chassis.kernel.pagination import PageRequest
from chassis.limits.active_limit import ActiveCall, ActiveLimiter
from chassis.rpc.interceptor import Context
from chassis.rpc.request_context import current_caller
from task_service.csv_dialect.delimiter import DEFAULT_DELIMITER, parse_delimiter
from task_service.csv_dialect.http_bodies import csv_bodies
from task_service.idempotency.key_from_proto import idempotency_key_from_proto
from task_service.tasks.transport.queries import query_from_proto, stats_query_from_proto
from task_service.tasks.transport.translate import (
    batch_ids_from_proto,
    convert_all,
    deletion_from_proto,
    draft_from_proto,
    list_to_proto,
    stats_to_proto,
    task_to_proto,
    update_from_proto,
    upsert_result_to_proto,
    upserts_from_proto,
)
from task_service.tasks.usecases.use_cases import TasksUseCases

MAX_BATCH_SECONDS = 0.5
"""Time for which a slow batch keeps the next one of its caller from starting."""


class TaskServicer(task_service_pb2_grpc.TaskServiceServicer):
    """Servicer of TaskService."""

    def __init__(self, use_cases: TasksUseCases) -> None:
        self._use_cases = use_cases
        self._batches = ActiveLimiter(max_active=1, max_active_seconds=MAX_BATCH_SECONDS)

    async def CreateTask(self, request: task_service_pb2.CreateTaskRequest, context: Context) -> task_pb2.Task:
        draft = draft_from_proto(request.task)
        return task_to_proto(
            await self._use_cases.create_task(current_caller(), draft, idempotency_key_from_proto(request))
        )

    async def GetTask(self, request: task_service_pb2.GetTaskRequest, context: Context) -> task_pb2.Task:
        return task_to_proto(await self._use_cases.get_task(current_caller(), parse_id(request.id, field="id")))

    async def ListTasks(
        self, request: task_service_pb2.ListTasksRequest, context: Context
    ) -> task_service_pb2.ListTasksResponse:
        caller = current_caller()
        query = query_from_proto(request, caller)
        page_request = PageRequest.parse(request.page_size, request.page_token, query=f"tasks {caller.id} {query}")
        page, total = await self._use_cases.list_tasks(query, page_request, with_total=request.include_total)
        return list_to_proto(page, total)

    async def ExportTasks(
        self, request: task_service_pb2.ExportTasksRequest, context: Context
    ) -> AsyncIterator[httpbody_pb2.HttpBody]:
        query = query_from_proto(request, current_caller())
        delimiter = parse_delimiter(request.delimiter) or DEFAULT_DELIMITER
        async for body in csv_bodies(self._use_cases.export_tasks(query, delimiter), bom=request.bom):
            yield body

    async def DeleteTask(self, request: task_service_pb2.DeleteTaskRequest, context: Context) -> task_pb2.Task:
        task_id, key = parse_id(request.id, field="id"), idempotency_key_from_proto(request)
        return task_to_proto(await self._use_cases.delete_task(current_caller(), task_id, request.etag, key))

    async def UpdateTask(self, request: task_service_pb2.UpdateTaskRequest, context: Context) -> task_pb2.Task:
        update = update_from_proto(request)
        return task_to_proto(
            await self._use_cases.update_task(current_caller(), update, idempotency_key_from_proto(request))
        )

    async def UndeleteTask(self, request: task_service_pb2.UndeleteTaskRequest, context: Context) -> task_pb2.Task:
        task_id, key = parse_id(request.id, field="id"), idempotency_key_from_proto(request)
        return task_to_proto(await self._use_cases.undelete_task(current_caller(), task_id, request.etag, key))

    async def PurgeTask(
        self, request: task_service_pb2.PurgeTaskRequest, context: Context
    ) -> task_service_pb2.PurgeTaskResponse:
        await self._use_cases.purge_task(
            current_caller(), parse_id(request.id, field="id"), idempotency_key_from_proto(request)
        )
        return task_service_pb2.PurgeTaskResponse()

    async def GetTaskStats(
        self, request: task_service_pb2.GetTaskStatsRequest, context: Context
    ) -> task_service_pb2.TaskStats:
        query = stats_query_from_proto(request.owner_id, current_caller())
        return stats_to_proto(*await self._use_cases.get_task_stats(query, request.days))

    async def BatchGetTasks(
        self, request: task_service_pb2.BatchGetTasksRequest, context: Context
    ) -> task_service_pb2.BatchGetTasksResponse:
        tasks = await self._use_cases.batch_get_tasks(current_caller(), batch_ids_from_proto(request.ids))
        return task_service_pb2.BatchGetTasksResponse(tasks=map(task_to_proto, tasks))

    async def BatchCreateTasks(
        self, request: task_service_pb2.BatchCreateTasksRequest, context: Context
    ) -> task_service_pb2.BatchCreateTasksResponse:
        with await self._batch_turn():
            drafts = convert_all(request.requests, lambda item: draft_from_proto(item.task))
            tasks = await self._use_cases.batch_create_tasks(
                current_caller(), drafts, idempotency_key_from_proto(request)
            )
            return task_service_pb2.BatchCreateTasksResponse(
                tasks=[task_to_proto(task) async for task in iterate_cooperatively(tasks)]
            )

    async def BatchUpdateTasks(
        self, request: task_service_pb2.BatchUpdateTasksRequest, context: Context
    ) -> task_service_pb2.BatchUpdateTasksResponse:
        with await self._batch_turn():
            updates = convert_all(request.requests, update_from_proto)
            tasks = await self._use_cases.batch_update_tasks(
                current_caller(), updates, idempotency_key_from_proto(request)
            )
            return task_service_pb2.BatchUpdateTasksResponse(
                tasks=[task_to_proto(task) async for task in iterate_cooperatively(tasks)]
            )

    async def BatchDeleteTasks(
        self, request: task_service_pb2.BatchDeleteTasksRequest, context: Context
    ) -> task_service_pb2.BatchDeleteTasksResponse:
        with await self._batch_turn():
            deletions = convert_all(request.requests, deletion_from_proto)
            tasks = await self._use_cases.batch_delete_tasks(
                current_caller(), deletions, idempotency_key_from_proto(request)
            )
            return task_service_pb2.BatchDeleteTasksResponse(
                tasks=[task_to_proto(task) async for task in iterate_cooperatively(tasks)]
            )

    async def BatchUpsertTasks(
        self, request: task_service_pb2.BatchUpsertTasksRequest, context: Context
    ) -> task_service_pb2.BatchUpsertTasksResponse:
        with await self._batch_turn():
            drafts = upserts_from_proto(request.requests)
            results = await self._use_cases.batch_upsert_tasks(
                current_caller(), drafts, idempotency_key_from_proto(request)
            )
            return task_service_pb2.BatchUpsertTasksResponse(
                results=[upsert_result_to_proto(result) async for result in iterate_cooperatively(results)]
            )

    async def _batch_turn(self) -> ActiveCall:
        """Let a caller's batches run one after the other: each step of one holds up the calls of others for longer."""
        return await self._batches.start(current_caller().id)
