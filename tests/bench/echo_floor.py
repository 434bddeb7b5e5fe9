"""The echo server as a process beside the stack."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import grpc
from taskmanager.tasks.v1 import task_service_pb2

from deploy.local.ports import HOST, free_port
from tests.bench.system import System


@dataclass(frozen=True)
class EchoProcess:
    target: str
    pid: int


@asynccontextmanager
async def echo_running(system: System, page: task_service_pb2.ListTasksResponse) -> AsyncIterator[EchoProcess]:
    """The echo, answering with a page that the real service answered."""
    target = f"{HOST}:{free_port()}"
    answers = system.folder / "echo.binpb"
    answers.write_bytes(page.SerializeToString())

    async def answers_calls() -> bool:
        async with grpc.aio.insecure_channel(target, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
            try:
                await asyncio.wait_for(channel.channel_ready(), 1)
            except TimeoutError:
                return False
            return True

    async with system.sibling(
        "tests.bench.echo", target, str(answers), like="task_service", ready=answers_calls
    ) as pid:
        yield EchoProcess(target, pid)
