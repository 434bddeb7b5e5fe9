"""TaskService on the wire."""

from collections.abc import AsyncIterator

from google.api import httpbody_pb2
from taskmanager.tasks.v1 import task_pb2, task_service_pb2, task_service_pb2_grpc

from chassis.kernel.pagination import PageRequest
from chassis.kernel.ids import parse_id
from chassis.rpc.interceptor import Context
from chassis.rpc.pagination import fit_to_message_size
from chassis.rpc.request_context import current_caller
from task_service.csv_dialect.http_bodies import csv_bodies
from task_service.tasks.transport.queries import query_from_proto, sight_from_proto
from task_service.tasks.transport.translate import (
    deletion_from_proto,
    draft_from_proto,
    once_from_proto,
    placed_all,
    stats_to_proto,
    task_to_proto,
    update_from_proto,
)
from task_service.tasks.usecases.batches import BatchCreateTasks, BatchDeleteTasks, BatchUpdateTasks
from task_service.tasks.usecases.export import ExportTasks
from task_service.tasks.usecases.tasks import CreateTask, GetTask, GetTaskStats, ListTasks, UpdateTask
from task_service.tasks.usecases.trash import DeleteTask, PurgeTask, UndeleteTask


class TaskServicer(task_service_pb2_grpc.TaskServiceServicer):
    """Tasks."""

    def __init__(
        self,
        *,
        create_task: CreateTask,
        get_task: GetTask,
        list_tasks: ListTasks,
        export_tasks: ExportTasks,
        update_task: UpdateTask,
        delete_task: DeleteTask,
        undelete_task: UndeleteTask,
        purge_task: PurgeTask,
        get_task_stats: GetTaskStats,
        batch_create_tasks: BatchCreateTasks,
        batch_update_tasks: BatchUpdateTasks,
        batch_delete_tasks: BatchDeleteTasks,
    ) -> None:
        self._batch_create_tasks = batch_create_tasks
        self._batch_update_tasks = batch_update_tasks
        self._batch_delete_tasks = batch_delete_tasks
        self._create_task = create_task
        self._get_task = get_task
        self._list_tasks = list_tasks
        self._export_tasks = export_tasks
        self._update_task = update_task
        self._delete_task = delete_task
        self._undelete_task = undelete_task
        self._purge_task = purge_task
        self._get_task_stats = get_task_stats

    async def CreateTask(self, request: task_service_pb2.CreateTaskRequest, context: Context) -> task_pb2.Task:
        draft = draft_from_proto(request.task)
        return task_to_proto(await self._create_task(current_caller(), draft, once_from_proto(request)))

    async def GetTask(self, request: task_service_pb2.GetTaskRequest, context: Context) -> task_pb2.Task:
        return task_to_proto(await self._get_task(current_caller(), parse_id(request.id, field="id")))

    async def ListTasks(
        self, request: task_service_pb2.ListTasksRequest, context: Context
    ) -> task_service_pb2.ListTasksResponse:
        caller = current_caller()
        query = query_from_proto(request, caller)
        wanted = PageRequest.parse(request.page_size, request.page_token, query=f"tasks {caller.id} {query}")
        page, total = await self._list_tasks(query, wanted, with_total=request.include_total)
        tasks, next_token = fit_to_message_size(page, task_to_proto)
        return task_service_pb2.ListTasksResponse(tasks=tasks, next_page_token=next_token, total_size=total)

    async def ExportTasks(
        self, request: task_service_pb2.ExportTasksRequest, context: Context
    ) -> AsyncIterator[httpbody_pb2.HttpBody]:
        query = query_from_proto(request, current_caller())
        async for body in csv_bodies(self._export_tasks(query)):
            yield body

    async def DeleteTask(self, request: task_service_pb2.DeleteTaskRequest, context: Context) -> task_pb2.Task:
        task_id, once = parse_id(request.id, field="id"), once_from_proto(request)
        return task_to_proto(await self._delete_task(current_caller(), task_id, request.etag, once))

    async def UpdateTask(self, request: task_service_pb2.UpdateTaskRequest, context: Context) -> task_pb2.Task:
        update = update_from_proto(request)
        return task_to_proto(await self._update_task(current_caller(), update, once_from_proto(request)))

    async def UndeleteTask(self, request: task_service_pb2.UndeleteTaskRequest, context: Context) -> task_pb2.Task:
        task_id, once = parse_id(request.id, field="id"), once_from_proto(request)
        return task_to_proto(await self._undelete_task(current_caller(), task_id, request.etag, once))

    async def PurgeTask(
        self, request: task_service_pb2.PurgeTaskRequest, context: Context
    ) -> task_service_pb2.PurgeTaskResponse:
        await self._purge_task(current_caller(), parse_id(request.id, field="id"), once_from_proto(request))
        return task_service_pb2.PurgeTaskResponse()

    async def GetTaskStats(
        self, request: task_service_pb2.GetTaskStatsRequest, context: Context
    ) -> task_service_pb2.TaskStats:
        query = sight_from_proto(request.owner_id, current_caller())
        return stats_to_proto(*await self._get_task_stats(query, request.days))

    async def BatchCreateTasks(
        self, request: task_service_pb2.BatchCreateTasksRequest, context: Context
    ) -> task_service_pb2.BatchCreateTasksResponse:
        drafts = placed_all(request.requests, lambda one: draft_from_proto(one.task))
        tasks = await self._batch_create_tasks(current_caller(), drafts, once_from_proto(request))
        return task_service_pb2.BatchCreateTasksResponse(tasks=map(task_to_proto, tasks))

    async def BatchUpdateTasks(
        self, request: task_service_pb2.BatchUpdateTasksRequest, context: Context
    ) -> task_service_pb2.BatchUpdateTasksResponse:
        updates = placed_all(request.requests, update_from_proto)
        tasks = await self._batch_update_tasks(current_caller(), updates, once_from_proto(request))
        return task_service_pb2.BatchUpdateTasksResponse(tasks=map(task_to_proto, tasks))

    async def BatchDeleteTasks(
        self, request: task_service_pb2.BatchDeleteTasksRequest, context: Context
    ) -> task_service_pb2.BatchDeleteTasksResponse:
        deletions = placed_all(request.requests, deletion_from_proto)
        tasks = await self._batch_delete_tasks(current_caller(), deletions, once_from_proto(request))
        return task_service_pb2.BatchDeleteTasksResponse(tasks=map(task_to_proto, tasks))
