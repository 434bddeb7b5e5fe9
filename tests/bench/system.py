"""The measured system: a local stack."""

import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from deploy.local.config.options import Options
from deploy.local.demo.rest_client import RestClient
from deploy.local.stack import Announce, Stack, running_stack
from deploy.local.supervision.run import DATA_DIR_VARIABLE, RUN_ID_VARIABLE

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

    @property
    def orphan_markers(self) -> Mapping[str, str]:
        """Variables by which the watchdog of the stack finds other processes if this one is killed."""
        environment = psutil.Process(self.pids["task_service"]).environ()
        return {name: environment[name] for name in (DATA_DIR_VARIABLE, RUN_ID_VARIABLE)}


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
