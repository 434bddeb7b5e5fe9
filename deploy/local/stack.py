"""The whole stack: the data servers, the migrations, the services, started and stopped in order."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.local.config.credentials import Credentials
from deploy.local.config.endpoints import Endpoints, remove_endpoints
from deploy.local.config.options import Options, Ports
from deploy.local.servers.data_servers import DataServers
from deploy.local.services.settings import Services
from deploy.local.supervision.data_dir_lock import claim
from deploy.local.supervision.orphans import Run
from deploy.local.supervision.process import ProcessSpec
from deploy.local.supervision.single_process import run_to_end
from deploy.local.supervision.supervisor import Supervisor

Announce = Callable[[str], None]
"""Takes one line for the person at the terminal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A running stack. The file is kept up to date while processes come and go."""

    endpoints: Endpoints
    endpoints_file: Path
    logs: Path
    supervisor: Supervisor


@asynccontextmanager
async def running_stack(options: Options, *, announce: Announce) -> AsyncIterator[Stack]:
    """Runs the stack from ready to stopped. Raises LocalStackError; ProcessFailedError has the log lines."""
    async with claim(options.data_dir) as run:
        remove_endpoints(run.folder)
        ports = Ports.choose(options)
        credentials = Credentials.of(run.folder)
        data_servers = DataServers.of(options, folder=run.folder, ports=ports, credentials=credentials)
        services = Services(
            data_dir=run.folder,
            credentials=credentials,
            ports=ports,
            postgres_url=data_servers.postgres_url,
            redis_url=data_servers.redis_url,
            workers=options.workers,
        )
        endpoints = Endpoints(
            gateway_url=services.gateway_url,
            auth_target=services.auth_target,
            tasks_target=services.tasks_target,
            postgres_url=services.postgres_url,
            redis_url=services.redis_url,
            admin_email=credentials.admin_email,
            admin_password=credentials.admin_password,
        )
        supervisor = Supervisor(run=run, logs=_logs(run), announce=announce)
        try:
            announce("starting Postgres and Redis")
            await supervisor.start(await data_servers.prepare())
            await data_servers.make_database()
            announce("migrating the databases")
            await _run_commands(services.migrations(), run)
            await _run_commands([services.bootstrap()], run)
            announce("starting the services")
            await supervisor.start(*services.in_order())
            supervisor.on_change = lambda: endpoints.write(run.folder, supervisor.pids)
            yield Stack(
                endpoints=endpoints,
                endpoints_file=endpoints.write(run.folder, supervisor.pids),
                logs=_logs(run),
                supervisor=supervisor,
            )
        finally:
            try:
                remove_endpoints(run.folder)
                announce("stopping")
            finally:
                await supervisor.stop()


async def _run_commands(commands: Iterable[ProcessSpec], run: Run) -> None:
    """Runs commands side by side. The first that fails stops the others, and is the one that is told."""
    try:
        async with asyncio.TaskGroup() as group:
            for command in commands:
                group.create_task(run_to_end(command, log=_logs(run) / f"{command.name}.log", run=run))
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None


def _logs(run: Run) -> Path:
    return run.folder / "logs"
