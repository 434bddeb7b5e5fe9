"""The three measured operations, by gRPC and by REST."""

import itertools
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import grpc
from taskmanager.tasks.v1 import task_pb2, task_service_pb2, task_service_pb2_grpc

from tests.bench.http import HttpConnection
from tests.bench.measure import Call

CONCURRENT_CALLERS = 8
"""Number of callers; each waits for its response before it calls again."""
PAGE_SIZE = 50

OPERATIONS = ("GetTask", "ListTasks(50)", "CreateTask")

SAMPLE_TASK = task_pb2.Task(
    title="Call the supplier 4711",
    description="As agreed in the meeting, item 4711",
    status=task_pb2.Task.STATUS_IN_PROGRESS,
    priority=task_pb2.Task.PRIORITY_HIGH,
    due_date="2026-12-24",
)
_BODY = json.dumps(
    {
        "title": SAMPLE_TASK.title,
        "description": SAMPLE_TASK.description,
        "status": "in_progress",
        "priority": "high",
        "due_date": SAMPLE_TASK.due_date,
    }
).encode()

Callers = Mapping[str, Sequence[Call]]
"""One call for each caller, by operation."""


@dataclass(frozen=True)
class BenchClient:
    """Token of a user, and the ids of tasks that the user may read."""

    token: str
    ids: Sequence[str]

    @asynccontextmanager
    async def by_grpc(self, target: str) -> AsyncIterator[Callers]:
        """Yield the calls over one channel."""
        ids = itertools.cycle(self.ids)
        metadata = (("authorization", f"Bearer {self.token}"),)
        async with grpc.aio.insecure_channel(target) as channel:
            await channel.channel_ready()
            stub = task_service_pb2_grpc.TaskServiceStub(channel)
            calls: list[Call] = [
                lambda: stub.GetTask(task_service_pb2.GetTaskRequest(id=next(ids)), metadata=metadata),
                lambda: stub.ListTasks(task_service_pb2.ListTasksRequest(page_size=PAGE_SIZE), metadata=metadata),
                lambda: stub.CreateTask(task_service_pb2.CreateTaskRequest(task=SAMPLE_TASK), metadata=metadata),
            ]
            yield {operation: [call] * CONCURRENT_CALLERS for operation, call in zip(OPERATIONS, calls, strict=True)}

    @asynccontextmanager
    async def by_rest(self, url: str) -> AsyncIterator[Callers]:
        """Yield the calls over persistent connections, one for each caller."""
        ids = itertools.cycle(self.ids)
        requests: list[Callable[[], bytes]] = [
            lambda: self.get_task(next(ids)),
            lambda: self._request("GET", f"/api/v1/tasks?page_size={PAGE_SIZE}"),
            lambda: self._request("POST", "/api/v1/tasks", _BODY),
        ]
        async with AsyncExitStack() as stack:
            connections = [await stack.enter_async_context(HttpConnection.open(url)) for _ in range(CONCURRENT_CALLERS)]
            yield {
                operation: [connection.caller(request) for connection in connections]
                for operation, request in zip(OPERATIONS, requests, strict=True)
            }

    def requests(self, operation: str, number: int = 1) -> list[bytes]:
        """Return requests for an operation. Those for GetTask are for different tasks."""
        if operation == "CreateTask":
            return [self._request("POST", "/api/v1/tasks", _BODY)] * number
        if operation == "GetTask":
            return [self.get_task(task_id) for task_id in self.ids[:number]]
        return [self._request("GET", f"/api/v1/tasks?page_size={PAGE_SIZE}")] * number

    def mixed_requests(self) -> list[bytes]:
        """Return ten requests: eight read a task each, one lists a page, and one creates a task."""
        reads, lists, creates = (
            self.requests(operation, number) for operation, number in zip(OPERATIONS, (8, 1, 1), strict=True)
        )
        return [*reads, *lists, *creates]

    def get_task(self, task_id: str) -> bytes:
        """Return a request that reads a task."""
        return self._request("GET", f"/api/v1/tasks/{task_id}")

    def _request(self, method: str, path: str, body: bytes = b"") -> bytes:
        head = f"{method} {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {self.token}\r\n"
        if body:
            head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
        return f"{head}\r\n".encode() + body


async def open_client(token: str, target: str) -> tuple[BenchClient, task_service_pb2.ListTasksResponse]:
    """Create a page of tasks through a service; return a client for them and the service's response for the page."""
    async with BenchClient(token, ["none"]).by_grpc(target) as callers:
        for _ in range(PAGE_SIZE):
            await callers["CreateTask"][0]()
        page = await callers["ListTasks(50)"][0]()
    assert isinstance(page, task_service_pb2.ListTasksResponse)
    return BenchClient(token, [task.id for task in page.tasks]), page
