"""The real worker process, and its log."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from deploy.local.host.free_ports import find_free_port
from tests.integration.import_worker.ingest_server import CREDENTIAL
from tests.support.metrics import Samples, get_probe, scrape


class Worker:
    """A running worker and its log."""

    def __init__(self, process: Process, probes_port: int) -> None:
        self.process = process
        self.probes_port = probes_port
        self.output = b""
        """All that the process has written to stdout, after its end."""
        self.log_lines: list[dict[str, Any]] = []
        self._new_line = asyncio.Condition()

    async def read_log(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            async with self._new_line:
                self.log_lines.append(_parse(line))
                self._new_line.notify_all()

    async def wait_for_log(self, text: str, *, times: int = 1) -> None:
        async with self._new_line, asyncio.timeout(30):
            await self._new_line.wait_for(lambda: sum(text in line["event"] for line in self.log_lines) >= times)

    async def probe(self, path: str) -> tuple[int, str]:
        """Return status and body of a health check."""
        return await asyncio.to_thread(get_probe, self.probes_port, path)

    async def metrics(self) -> Samples:
        return await asyncio.to_thread(scrape, self.probes_port)

    def problems(self) -> list[dict[str, Any]]:
        return [line for line in self.log_lines if line["level"] in {"warning", "error", "critical"}]


def _parse(line: bytes) -> dict[str, Any]:
    try:
        entry: dict[str, Any] = json.loads(line)
    except ValueError:
        entry = {"event": f"not JSON: {line!r}", "level": "error"}
    return entry


@asynccontextmanager
async def running_worker(redis_url: str, target: str, **environment: str) -> AsyncIterator[Worker]:
    """Run a worker against the services at a target, with additional environment variables."""
    probes_port = find_free_port()
    settings = {
        "IMPORT_WORKER_REDIS_URL": redis_url,
        "IMPORT_WORKER_TASKS_TARGET": target,
        "IMPORT_WORKER_AUTH_TARGET": target,
        "IMPORT_WORKER_AUTH_CREDENTIAL": CREDENTIAL,
        "IMPORT_WORKER_METRICS_LISTEN": f"127.0.0.1:{probes_port}",
        **environment,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "import_worker", env={**os.environ, **settings}, stdout=PIPE, stderr=PIPE, process_group=0
    )
    worker = Worker(process, probes_port)
    reading = asyncio.create_task(worker.read_log())
    try:
        await worker.wait_for_log("ready")
        yield worker
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        await reading
        assert process.stdout is not None
        worker.output = await process.stdout.read()
