"""The three calls that are measured, by gRPC and by REST."""

import itertools
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import grpc
from taskmanager.tasks.v1 import task_pb2, task_service_pb2, task_service_pb2_grpc

from tests.bench.http import HttpConnection
from tests.bench.measure import Call

AT_ONCE = 8
"""Callers that wait for an answer each."""
PAGE = 50

WORKS = ("GetTask", "ListTasks(50)", "CreateTask")

_TASK = task_pb2.Task(
    title="Call the supplier 4711",
    description="As agreed in the meeting, item 4711",
    status=task_pb2.Task.STATUS_IN_PROGRESS,
    priority=task_pb2.Task.PRIORITY_HIGH,
    due_date="2026-12-24",
)
_BODY = json.dumps(
    {
        "title": _TASK.title,
        "description": _TASK.description,
        "status": "in_progress",
        "priority": "high",
        "due_date": _TASK.due_date,
    }
).encode()

Callers = Mapping[str, Sequence[Call]]
"""By work, as many calls as there are callers."""


@dataclass(frozen=True)
class Door:
    """Who calls: the token, and ids of tasks that it may see."""

    token: str
    ids: Sequence[str]

    @asynccontextmanager
    async def by_grpc(self, target: str) -> AsyncIterator[Callers]:
        """The calls over one channel."""
        ids = itertools.cycle(self.ids)
        metadata = (("authorization", f"Bearer {self.token}"),)
        async with grpc.aio.insecure_channel(target) as channel:
            await channel.channel_ready()
            stub = task_service_pb2_grpc.TaskServiceStub(channel)
            calls: list[Call] = [
                lambda: stub.GetTask(task_service_pb2.GetTaskRequest(id=next(ids)), metadata=metadata),
                lambda: stub.ListTasks(task_service_pb2.ListTasksRequest(page_size=PAGE), metadata=metadata),
                lambda: stub.CreateTask(task_service_pb2.CreateTaskRequest(task=_TASK), metadata=metadata),
            ]
            yield {work: [call] * AT_ONCE for work, call in zip(WORKS, calls, strict=True)}

    @asynccontextmanager
    async def by_rest(self, url: str) -> AsyncIterator[Callers]:
        """The calls over connections that are kept alive, one a caller."""
        ids = itertools.cycle(self.ids)
        requests: list[Callable[[], bytes]] = [
            lambda: self._request("GET", f"/api/v1/tasks/{next(ids)}"),
            lambda: self._request("GET", f"/api/v1/tasks?page_size={PAGE}"),
            lambda: self._request("POST", "/api/v1/tasks", _BODY),
        ]
        async with AsyncExitStack() as stack:
            connections = [await stack.enter_async_context(HttpConnection.open(url)) for _ in range(AT_ONCE)]
            yield {
                work: [connection.caller(request) for connection in connections]
                for work, request in zip(WORKS, requests, strict=True)
            }

    def _request(self, method: str, path: str, body: bytes = b"") -> bytes:
        head = f"{method} {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {self.token}\r\n"
        if body:
            head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
        return f"{head}\r\n".encode() + body


async def open_door(token: str, target: str) -> tuple[Door, task_service_pb2.ListTasksResponse]:
    """Makes a page full of tasks through a service; the door to them, and the page as it answers it."""
    async with Door(token, ["none"]).by_grpc(target) as callers:
        for _ in range(PAGE):
            await callers["CreateTask"][0]()
        page = await callers["ListTasks(50)"][0]()
    assert isinstance(page, task_service_pb2.ListTasksResponse)
    return Door(token, [task.id for task in page.tasks]), page
