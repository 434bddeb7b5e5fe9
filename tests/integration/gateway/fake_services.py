"""Fake services: a real gRPC server with all services of the contract, whose responses the test sets."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
from grpc import aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from taskmanager.auth.v1 import (
    auth_service_pb2,
    auth_service_pb2_grpc,
    service_account_service_pb2,
    service_account_service_pb2_grpc,
    token_service_pb2,
    token_service_pb2_grpc,
    user_service_pb2,
    user_service_pb2_grpc,
)
from taskmanager.imports.v1 import import_pb2, import_service_pb2, import_service_pb2_grpc
from taskmanager.tasks.v1 import (
    history_service_pb2,
    history_service_pb2_grpc,
    task_pb2,
    task_service_pb2,
    task_service_pb2_grpc,
)

from chassis.rpc.errors import RichStatus, Violation

Handler = Callable[[Any, Any], Any]


class FakeServices:
    """Handlers by name of the rpc, and a record of the calls."""

    def __init__(self) -> None:
        self.handlers: dict[str, Handler] = {}
        self.requests: dict[str, list[Any]] = defaultdict(list)
        self.metadata: dict[str, str] = {}
        self.request_ids: set[str] = set()
        self.calls = 0
        self.ended = asyncio.Event()
        self.called = asyncio.Event()
        self.health = health.aio.HealthServicer()
        self.port = 0

    def reset(self) -> None:
        self.handlers.clear()
        self.requests.clear()
        self.metadata = {}
        self.calls = 0
        self.ended.clear()
        self.called.clear()

    def received(self, response: Any) -> bool:
        """Return True if the request of this HTTP response reached a service."""
        return response.headers["x-request-id"] in self.request_ids

    def record(self, name: str, request: Any, context: Any) -> None:
        self.requests[name].append(request)
        self.metadata = dict(context.invocation_metadata())
        self.calls += 1
        self.request_ids.add(self.metadata["x-request-id"])
        self.called.set()

    def respond_with(self, name: str, message: Any) -> None:
        async def reply(_request: Any, _context: Any) -> Any:
            return message

        self.handlers[name] = reply

    def fail_with(
        self,
        name: str,
        code: grpc.StatusCode,
        reason: str,
        message: str = "No.",
        *fields: str,
        wait: float | None = None,
    ) -> None:
        async def reply(_request: Any, context: Any) -> Any:
            violations = tuple(Violation(field, reason, message) for field in fields)
            await RichStatus(code, message, reason, violations, wait).abort(context)

        self.handlers[name] = reply


def _unary_handler(services: FakeServices, name: str) -> Callable[[Any, Any, Any], Awaitable[Any]]:
    async def handle(_self: Any, request: Any, context: Any) -> Any:
        services.record(name, request, context)
        try:
            return await services.handlers[name](request, context)
        finally:
            services.ended.set()

    return handle


def _stream_handler(services: FakeServices, name: str) -> Callable[[Any, Any, Any], AsyncIterator[Any]]:
    async def handle(_self: Any, request: Any, context: Any) -> AsyncIterator[Any]:
        services.record(name, request, context)
        try:
            async for message in services.handlers[name](request, context):
                yield message
        finally:
            services.ended.set()

    return handle


async def receive_upload(requests: AsyncIterator[Any], context: Any) -> Any:
    """Receive an upload as the contract defines it: options, chunks, finish."""
    file_name, content, finished = "", b"", -1
    async for message in requests:
        match message.WhichOneof("message"):
            case "options":
                file_name = message.options.file_name
            case "chunk":
                content += message.chunk
            case "finish":
                finished = message.finish.size
    if finished != len(content):
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "not finished")
    return import_pb2.Import(id="i1", state=import_pb2.Import.STATE_QUEUED, file_name=file_name, bytes_total=finished)


@asynccontextmanager
async def running_fake_services(services: FakeServices) -> AsyncIterator[FakeServices]:
    """Serve all services on one port, which is the target of both upstreams."""
    server = aio.server(options=[("grpc.so_reuseport", 0)])
    for messages, module, name in (
        (auth_service_pb2, auth_service_pb2_grpc, "AuthService"),
        (user_service_pb2, user_service_pb2_grpc, "UserService"),
        (service_account_service_pb2, service_account_service_pb2_grpc, "ServiceAccountService"),
        (token_service_pb2, token_service_pb2_grpc, "TokenService"),
        (task_service_pb2, task_service_pb2_grpc, "TaskService"),
        (history_service_pb2, history_service_pb2_grpc, "HistoryService"),
        (import_service_pb2, import_service_pb2_grpc, "ImportService"),
    ):
        methods = messages.DESCRIPTOR.services_by_name[name].methods
        handlers: dict[str, Any] = {
            method.name: (_stream_handler if method.server_streaming else _unary_handler)(services, method.name)
            for method in methods
        }
        servicer = type(name, (getattr(module, f"{name}Servicer"),), handlers)()
        getattr(module, f"add_{name}Servicer_to_server")(servicer, server)
    health_pb2_grpc.add_HealthServicer_to_server(services.health, server)
    await services.health.set("", health_pb2.HealthCheckResponse.SERVING)
    services.port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield services
    finally:
        await server.stop(0)


def slow_get_task(services):
    """Make GetTask wait. Return the event that its call sets, and the event that releases its response."""
    called_event, release_event = asyncio.Event(), asyncio.Event()

    async def slow(_request, _context):
        called_event.set()
        await release_event.wait()
        return task_pb2.Task(id="t1")

    services.handlers["GetTask"] = slow
    return called_event, release_event
