"""The echo server as a process beside the stack."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import grpc
from taskmanager.tasks.v1 import task_service_pb2

from deploy.local.host.free_ports import HOST, find_free_port
from tests.bench.system import System


@dataclass(frozen=True)
class EchoProcess:
    target: str
    pid: int


@asynccontextmanager
async def running_echo(system: System, page: task_service_pb2.ListTasksResponse) -> AsyncIterator[EchoProcess]:
    """Run the echo server with a page that the real service returned."""
    target = f"{HOST}:{find_free_port()}"
    responses = system.folder / "echo.binpb"
    responses.write_bytes(page.SerializeToString())

    async def is_ready() -> bool:
        async with grpc.aio.insecure_channel(target, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
            try:
                await asyncio.wait_for(channel.channel_ready(), 1)
            except TimeoutError:
                return False
            return True

    async with system.sibling("tests.bench.echo", target, str(responses), like="task_service", ready=is_ready) as pid:
        yield EchoProcess(target, pid)
