"""The echo server as a process beside the stack."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from taskmanager.tasks.v1 import task_service_pb2

from deploy.local.host.free_ports import HOST, find_free_port
from tests.bench.process import running_module
from tests.bench.system import System


@dataclass(frozen=True)
class EchoProcess:
    target: str
    pid: int


@asynccontextmanager
async def running_echo(system: System, page: task_service_pb2.ListTasksResponse) -> AsyncIterator[EchoProcess]:
    """Run the echo server with a page that the real service returned."""
    port = find_free_port()
    target = f"{HOST}:{port}"
    responses = system.folder / "echo.binpb"
    responses.write_bytes(page.SerializeToString())

    environment = {**os.environ, **system.orphan_markers}
    log = system.folder / "logs" / "echo.log"
    async with running_module(
        "tests.bench.echo", target, str(responses), port=port, log=log, environment=environment
    ) as pid:
        yield EchoProcess(target, pid)
