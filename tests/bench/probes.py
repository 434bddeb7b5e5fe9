"""Health checks that are repeated during a measurement, each on a connection of its own."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from math import inf
from time import perf_counter
from urllib.parse import urlsplit

_INTERVAL_SECONDS = 0.1
_TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True)
class Probe:
    name: str
    url: str


@asynccontextmanager
async def probing(probes: Iterable[Probe]) -> AsyncIterator[Mapping[str, float]]:
    """Repeat the probes during the context; yield the seconds of the slowest by name. A failed one is infinite."""
    slowest: dict[str, float] = {}

    async def repeat(probe: Probe) -> None:
        while True:
            seconds = await _seconds_of(probe)
            slowest[probe.name] = max(slowest.get(probe.name, 0.0), seconds)
            await asyncio.sleep(_INTERVAL_SECONDS)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(repeat(probe)) for probe in probes]
        yield slowest
        for task in tasks:
            task.cancel()


async def _seconds_of(probe: Probe) -> float:
    parts = urlsplit(probe.url)
    request = f"GET {parts.path} HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n".encode()
    began = perf_counter()
    status = await status_of(parts.hostname or "", parts.port or 0, request)
    return perf_counter() - began if status == 200 else inf


async def status_of(host: str, port: int, request: bytes) -> int:
    """Send a request on a new connection and return the status of its response; 0 without a response in time."""
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(request)
                status_line = await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return 0
    return int(status_line[9:12] or 0)
