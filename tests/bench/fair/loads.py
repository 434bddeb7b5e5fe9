"""Loads of one caller over REST: of each kind the most that the limits allow, while a context is open."""

import asyncio
import base64
import itertools
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from deploy.local.demo.rest_client import RestClient, UnexpectedResponse
from tests.bench.imports import valid_sample
from tests.bench.load_generator import Load, generate_load

BATCH = 100
BATCHES = 8
"""Batches of tasks that `update_batches` changes in turn."""
_CONNECTIONS = 50
_STREAMS = 20
"""Open streams that task_service allows one caller."""
_SMALL_IMPORTS = 100
_SMALL_ROWS = 10
_ROWS_PER_SECOND = 70_000
"""More than an import can write, so that a large one lasts as long as the context."""

Received = Counter[str]
"""Responses by status, bytes and rows that the caller received."""


@dataclass(frozen=True)
class LoadingCaller:
    """The caller, and some of its tasks."""

    gateway_url: str
    token: str
    rest: RestClient
    ids: Sequence[str]

    def request(self, method: str, path: str, body: object = None, *, accept: str = "*/*") -> bytes:
        """Return the bytes of a request."""
        content = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {self.token}\r\naccept: {accept}\r\n"
        if content:
            head += f"content-type: application/json\r\ncontent-length: {len(content)}\r\n"
        return f"{head}\r\n".encode() + content


@dataclass
class Running:
    """A load that runs. What it received is complete after its context."""

    received: Received
    seconds: float = 0.0
    generator_cpu_seconds: float = 0.0
    """CPU time of processes that ended with the load."""


LoadContext = Callable[[LoadingCaller, float], AbstractAsyncContextManager[Running]]


@asynccontextmanager
async def plain_calls(caller: LoadingCaller, seconds: float) -> AsyncIterator[Running]:
    """Read tasks and lists of 50, alternately."""
    lists = caller.request("GET", "/api/v1/tasks?page_size=50")
    requests = [
        each for task_id in caller.ids[:50] for each in (caller.request("GET", f"/api/v1/tasks/{task_id}"), lists)
    ]
    async with _repeating(caller, requests, seconds) as running:
        yield running


@asynccontextmanager
async def search(caller: LoadingCaller, seconds: float) -> AsyncIterator[Running]:
    """Search for a word that no task has."""
    async with _repeating(caller, [caller.request("GET", "/api/v1/tasks?q=zyzzyva&page_size=50")], seconds) as running:
        yield running


@asynccontextmanager
async def create_batches(caller: LoadingCaller, seconds: float) -> AsyncIterator[Running]:
    """Create 100 tasks in a call."""
    task = {"title": "Call the supplier 4711", "description": "As agreed in the meeting, item 4711", "priority": "high"}
    request = caller.request("POST", "/api/v1/tasks:batchCreate", {"requests": [{"task": task}] * BATCH})
    async with _repeating(caller, [request], seconds) as running:
        yield running


@asynccontextmanager
async def update_batches(caller: LoadingCaller, seconds: float) -> AsyncIterator[Running]:
    """Change 100 tasks in a call. Each change has an effect."""
    async with _repeating(caller, list(_updates(caller, BATCHES)), seconds) as running:
        yield running


def _updates(caller: LoadingCaller, batches: int) -> Iterator[bytes]:
    for priority, number in itertools.product(("low", "high", "urgent"), range(batches)):
        ids = caller.ids[number * BATCH : (number + 1) * BATCH]
        requests = [{"id": task_id, "task": {"priority": priority}} for task_id in ids]
        yield caller.request("POST", "/api/v1/tasks:batchUpdate", {"requests": requests})


@asynccontextmanager
async def exports(caller: LoadingCaller, seconds: float) -> AsyncIterator[Running]:
    """Export all tasks again and again, in as many streams as are allowed."""
    async with _streaming(caller, caller.request("GET", "/api/v1/tasks:export")) as running:
        yield running


@asynccontextmanager
async def watches(caller: LoadingCaller, seconds: float) -> AsyncIterator[Running]:
    """Change 100 tasks at a time, and watch the events in as many streams as are allowed."""
    request = caller.request("GET", "/api/v1/events:watch", accept="text/event-stream")
    async with (
        _streaming(caller, request) as streaming,
        _repeating(caller, list(_updates(caller, 1)), seconds, connections=1) as running,
    ):
        yield running
        running.received.update(streaming.received)


@asynccontextmanager
async def one_import(caller: LoadingCaller, seconds: float) -> AsyncIterator[Running]:
    """Import one large file."""
    async with _importing(caller, seconds, large=1, small=0) as running:
        yield running


@asynccontextmanager
async def many_imports(caller: LoadingCaller, seconds: float) -> AsyncIterator[Running]:
    """Import two large files and a hundred small ones."""
    async with _importing(caller, seconds, large=2, small=_SMALL_IMPORTS) as running:
        yield running


@asynccontextmanager
async def _repeating(
    caller: LoadingCaller, requests: Sequence[bytes], seconds: float, *, connections: int = _CONNECTIONS
) -> AsyncIterator[Running]:
    """Send the requests in turn, on each connection the next one as soon as there is a response."""
    parts = urlsplit(caller.gateway_url)
    encoded = [base64.b64encode(request).decode() for request in requests]
    running = Running(Counter())
    async with asyncio.TaskGroup() as group:
        load = Load(parts.hostname or "", parts.port or 0, encoded, connections, seconds)
        generating = group.create_task(generate_load(load))
        yield running
    outcome = generating.result()
    running.received.update({f"status {status}": count for status, count in outcome.statuses.items()})
    running.seconds, running.generator_cpu_seconds = outcome.elapsed_seconds, outcome.cpu_seconds


@asynccontextmanager
async def _streaming(caller: LoadingCaller, request: bytes) -> AsyncIterator[Running]:
    """Read _STREAMS responses at a time, and request each again at its end."""
    parts = urlsplit(caller.gateway_url)
    running = Running(Counter())
    began = time.perf_counter()

    async def read_repeatedly() -> None:
        while True:
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
            try:
                writer.write(request)
                head = await reader.readuntil(b"\r\n\r\n")
                running.received[f"status {head[9:12].decode()}"] += 1
                await _read_to_end(reader, running.received)
            finally:
                writer.close()

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(read_repeatedly()) for _ in range(_STREAMS)]
        try:
            yield running
        finally:
            for task in tasks:
                task.cancel()
    running.seconds = time.perf_counter() - began


async def _read_to_end(reader: asyncio.StreamReader, received: Received) -> None:
    """Read a chunked body."""
    last = b"0\r\n\r\n"
    tail = b""
    while not tail.endswith(last) and (data := await reader.read(1 << 16)):
        received["bytes"] += len(data)
        tail = (tail + data)[-len(last) :]


@asynccontextmanager
async def _importing(caller: LoadingCaller, seconds: float, *, large: int, small: int) -> AsyncIterator[Running]:
    """Queue imports, and cancel those that remain at the end."""
    large_file, small_file = valid_sample(round(seconds * _ROWS_PER_SECOND / large)), valid_sample(_SMALL_ROWS)
    running = Running(Counter())
    queued = [await caller.rest.upload_csv("large.csv", large_file.content) for _ in range(large)]
    began = time.perf_counter()
    queued += [await caller.rest.upload_csv("small.csv", small_file.content) for _ in range(small)]
    yield running
    running.seconds = time.perf_counter() - began
    for each in queued:
        path = f"/api/v1/imports/{each['id']}"
        with suppress(UnexpectedResponse):  # it has ended
            await caller.rest._call("POST", f"{path}:cancel")
        state = await caller.rest._call("GET", path)
        running.received[f"imports {state['state']}"] += 1
        running.received["rows"] += state["rows_created"]


LOADS: dict[str, LoadContext] = {
    "50 connections": plain_calls,
    "search": search,
    "batches created": create_batches,
    "batches updated": update_batches,
    "exports": exports,
    "watches": watches,
    "one import": one_import,
    "two imports and a hundred": many_imports,
}
IMPORT_LOADS = ("one import", "two imports and a hundred")
"""Loads during which the other caller imports, too."""
