"""Calls of the services for one caller."""

import base64
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import grpc
from taskmanager.imports.v1 import import_service_pb2, import_service_pb2_grpc
from taskmanager.tasks.v1 import history_service_pb2, history_service_pb2_grpc, task_service_pb2, task_service_pb2_grpc

from chassis.kernel.pagination import FINGERPRINT_BYTES
from tests.bench.growth.accounts import Account
from tests.bench.growth.dataset import Dataset
from tests.bench.growth.measurement import Call, Response
from tests.bench.growth.queries import Query, Subject

ALL_OWNERS = "-"
_TITLE_IN_THE_MIDDLE = "remind the customer about the order 8"
_PRIORITY_IN_THE_MIDDLE = "3"


@dataclass(frozen=True)
class Stubs:
    """Stubs of task_service on one channel."""

    tasks: "task_service_pb2_grpc.TaskServiceAsyncStub"
    history: "history_service_pb2_grpc.HistoryServiceAsyncStub"
    imports: "import_service_pb2_grpc.ImportServiceAsyncStub"

    @classmethod
    @asynccontextmanager
    async def open(cls, target: str) -> AsyncIterator["Stubs"]:
        async with grpc.aio.insecure_channel(target) as channel:
            await channel.channel_ready()
            yield cls(
                task_service_pb2_grpc.TaskServiceStub(channel),
                history_service_pb2_grpc.HistoryServiceStub(channel),
                import_service_pb2_grpc.ImportServiceStub(channel),
            )


@dataclass(frozen=True)
class Caller:
    """An account, the owner filter that it sends, and the tasks that this selects."""

    stubs: Stubs
    account: Account
    owner_id: str
    subject: Subject
    dataset: Dataset

    async def list_call(self, query: Query) -> Call:
        """Return the call for a page of a list."""
        request = task_service_pb2.ListTasksRequest(owner_id=self.owner_id, **query.fields)
        if query.from_middle:
            request.page_token = await self._token_of_the_middle(request)
        return self.page_call(self.stubs.tasks.ListTasks, request, "tasks")

    def page_call(self, method: Any, request: Any, items: str) -> Call:
        """Return a call of a method whose response has a list of items."""

        async def call() -> Response:
            response = await method(request, metadata=self.account.metadata)
            return Response(len(getattr(response, items)), bool(getattr(response, "next_page_token", "")))

        return call

    def single_call(self, method: Any, request: Any) -> Call:
        """Return a call of a method whose response has no list."""

        async def call() -> Response:
            await method(request, metadata=self.account.metadata)
            return Response(1)

        return call

    def stream_call(self, method: Any, request: Any) -> Call:
        """Return a call that reads the first message of a stream."""

        async def call() -> Response:
            stream = method(request, metadata=self.account.metadata)
            try:
                message = await stream.read()
            finally:
                stream.cancel()
            return Response(0 if message is grpc.aio.EOF else 1)

        return call

    async def _token_of_the_middle(self, request: task_service_pb2.ListTasksRequest) -> str:
        """Return a token that continues in the middle of the list. Pages up to there would take too long to read.

        A token is the fingerprint of the query, which is copied from the token of the first page, and a key.
        """
        first = await self.stubs.tasks.ListTasks(request, metadata=self.account.metadata, timeout=10)
        fingerprint = _decode(first.next_page_token)[:FINGERPRINT_BYTES]
        moment = self.dataset.created_at(self.subject.owner, self.dataset.owned(self.subject.owner) // 2)
        task_id = UUID(int=int(moment.timestamp() * 1000) << 80)
        order = request.order_by.partition(" ")[0]
        keys: Mapping[str, str] = {
            "updated_at": moment.isoformat(),
            "due_date": moment.date().isoformat(),
            "priority": _PRIORITY_IN_THE_MIDDLE,
            "title": _TITLE_IN_THE_MIDDLE,
        }
        key = task_id.bytes + keys.get(order, "").encode()
        return base64.urlsafe_b64encode(fingerprint + key).decode().rstrip("=")


def _decode(token: str) -> bytes:
    return base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))


async def other_calls(caller: Caller, task_id: str, import_id: str) -> Mapping[str, Call]:
    """Return the calls beside ListTasks, by name."""
    stubs, owner_id = caller.stubs, caller.owner_id
    imports = import_service_pb2.ListImportsRequest(owner_id=owner_id)
    conflicts = import_service_pb2.ListUndoConflictsRequest(import_id=import_id)
    watched = history_service_pb2.WatchEventsRequest
    found = task_service_pb2.ExportTasksRequest(owner_id=owner_id, q="xylophone")
    task_events = history_service_pb2.ListTaskEventsRequest(task_id=task_id)
    return {
        "GetTask": caller.single_call(stubs.tasks.GetTask, task_service_pb2.GetTaskRequest(id=task_id)),
        "BatchGetTasks, 100": caller.page_call(
            stubs.tasks.BatchGetTasks, task_service_pb2.BatchGetTasksRequest(ids=caller.subject.ids), "tasks"
        ),
        "GetTaskStats": caller.single_call(
            stubs.tasks.GetTaskStats, task_service_pb2.GetTaskStatsRequest(owner_id=owner_id)
        ),
        "ExportTasks, first message": caller.stream_call(
            stubs.tasks.ExportTasks, task_service_pb2.ExportTasksRequest(owner_id=owner_id)
        ),
        "ExportTasks, q without match, first message": caller.stream_call(stubs.tasks.ExportTasks, found),
        "ListTaskEvents": caller.page_call(stubs.history.ListTaskEvents, task_events, "events"),
        "WatchEvents, first message": caller.stream_call(stubs.history.WatchEvents, watched()),
        "WatchEvents from the start, first message": caller.stream_call(stubs.history.WatchEvents, watched(cursor="-")),
        "ListImports": caller.page_call(stubs.imports.ListImports, imports, "imports"),
        "ListUndoConflicts": caller.page_call(stubs.imports.ListUndoConflicts, conflicts, "conflicts"),
        **{
            f"ListEvents{name}": caller.page_call(
                stubs.history.ListEvents, history_service_pb2.ListEventsRequest(**fields), "events"
            )
            for name, fields in _event_queries(caller, task_id).items()
        },
    }


def _event_queries(caller: Caller, task_id: str) -> Mapping[str, Mapping[str, Any]]:
    event, owner_id = history_service_pb2.TaskEvent, caller.subject.owner_id
    return {
        "": {},
        ", newest_first": {"newest_first": True},
        ", cursor now": {"cursor": "now"},
        ", task_id": {"task_id": task_id},
        ", owner_id": {"owner_id": owner_id},
        ", actor_id": {"actor_id": owner_id},
        ", actor_id without match": {"actor_id": str(UUID(int=1))},
        ", action without match": {"action": [event.Action.ACTION_PURGED]},
        ", request_id without match": {"request_id": "unknown"},
    }
