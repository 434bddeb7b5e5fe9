"""The measured system: a local stack, and further processes beside it."""

import asyncio
import secrets
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from deploy.local.config.options import Options
from deploy.local.demo.rest_client import RestClient
from deploy.local.stack import Announce, Stack, running_stack

PASSWORD = "test123"


@dataclass(frozen=True)
class System:
    """Running stack, and a user whose token is valid for 15 minutes."""

    stack: Stack
    folder: Path
    token: str
    rest: RestClient

    @property
    def pids(self) -> Mapping[str, int]:
        return self.stack.supervisor.pids

    @property
    def gateway_url(self) -> str:
        return self.stack.endpoints.gateway_url

    @property
    def tasks_target(self) -> str:
        return self.stack.endpoints.tasks_target

    @asynccontextmanager
    async def sibling(self, *arguments: str, like: str, ready: Callable[[], Awaitable[bool]]) -> AsyncIterator[int]:
        """Run `python -m arguments` with the environment of the process `like`; yield its pid.

        The environment holds the secrets of that process, and the mark by which the stack's watchdog ends orphans.
        """
        environment = psutil.Process(self.pids[like]).environ()
        with (self.folder / "logs" / f"{arguments[0]}.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", *arguments, env=environment, stdout=log, stderr=log, process_group=0
            )
        try:
            async with asyncio.timeout(30):
                while not await ready():  # noqa: ASYNC110 - another process cannot set an event here
                    await asyncio.sleep(0.1)
            yield process.pid
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


@asynccontextmanager
async def running_system(
    announce: Announce, data_dir: Path | None = None, *, ingest_processes: int = 0
) -> AsyncIterator[System]:
    """Run a stack on free ports, in a data directory that stays or in a temporary one."""
    with nullcontext(data_dir) if data_dir else TemporaryDirectory(prefix="taskmanager-bench-") as folder:
        options = Options(data_dir=Path(folder), ingest_processes=ingest_processes)
        async with running_stack(options, announce=announce) as stack:
            name = f"bench-{secrets.token_hex(3)}"
            async with RestClient(stack.endpoints.gateway_url) as client:
                await client.register(name, f"{name}@example.com", PASSWORD)
                login = await client.login(f"{name}@example.com", PASSWORD)
                yield System(stack, Path(folder), login["access_token"], client)
