"""The whole stack: data servers, migrations and services, started and stopped in order."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.local.config.credentials import Credentials
from deploy.local.config.endpoints import Endpoints, delete_endpoints_file, grpc_target
from deploy.local.config.options import Options
from deploy.local.config.ports import Ports
from deploy.local.errors import LocalStackError, ProcessFailed
from deploy.local.host.free_ports import HOST, listening_socket
from deploy.local.servers.data_servers import DataServers
from deploy.local.services.commands import (
    bootstrap_command,
    check_settings_command,
    migration_commands,
    provision_commands,
)
from deploy.local.services.processes import INGEST, name_replicas, name_workers, service_processes
from deploy.local.services.settings import ServiceSettings
from deploy.local.supervision.data_dir_lock import exclusive_run
from deploy.local.supervision.process import ProcessSpec
from deploy.local.supervision.run import Run
from deploy.local.supervision.single_process import run_to_completion
from deploy.local.supervision.supervisor import Supervisor

Announce = Callable[[str], None]
"""Function that prints one line for the person at the terminal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """Running stack. Its endpoints file is rewritten whenever a process restarts."""

    endpoints: Endpoints
    endpoints_file: Path
    log_dir: Path
    supervisor: Supervisor


@asynccontextmanager
async def running_stack(options: Options, *, announce: Announce) -> AsyncIterator[Stack]:
    """Start the stack, yield it when it is ready, and stop it.

    Raise LocalStackError if it cannot start. The subclass ProcessFailed has the last log lines of the process.
    """
    async with AsyncExitStack() as stack:
        run = await stack.enter_async_context(exclusive_run(options.data_dir))
        delete_endpoints_file(run.data_dir)
        ports = Ports.choose(options)
        credentials = Credentials.load_or_create(run.data_dir)
        data_servers = DataServers.choose(options, data_dir=run.data_dir, ports=ports, credentials=credentials)
        endpoints = endpoints_of(ports, credentials, data_servers)
        settings = ServiceSettings(data_dir=run.data_dir, credentials=credentials, endpoints=endpoints)
        await _check_settings(settings, run)
        # The stack itself holds the port of the gateways, so that it refuses nobody while a gateway restarts.
        sockets = stack.enter_context(ExitStack())
        supervisor = Supervisor(run=run, log_dir=_log_dir(run), announce=announce)
        stack.push_async_callback(supervisor.stop)
        stack.callback(announce, "stopping")
        stack.callback(delete_endpoints_file, run.data_dir)
        announce("starting Postgres and Redis")
        await supervisor.start(await data_servers.prepare())
        await data_servers.create_database()
        announce("migrating the databases")
        await _run_commands(provision_commands(settings), run)
        await _run_commands(migration_commands(settings), run)
        await _run_commands([bootstrap_command(settings)], run)
        announce("starting the services")
        gateway_socket = sockets.enter_context(listening_socket(ports.gateway))
        await supervisor.start(*service_processes(settings, ports=ports, gateway_socket=gateway_socket.fileno()))
        supervisor.on_pids_changed = lambda: endpoints.write(run.data_dir, supervisor.pids)
        yield Stack(
            endpoints=endpoints,
            endpoints_file=endpoints.write(run.data_dir, supervisor.pids),
            log_dir=_log_dir(run),
            supervisor=supervisor,
        )


def endpoints_of(ports: Ports, credentials: Credentials, data_servers: DataServers) -> Endpoints:
    """Return the endpoints of a stack on these ports."""
    return Endpoints(
        probes={
            **_probes("auth_service", ports.auth_probes),
            **_probes("task_service", ports.tasks_probes),
            **_probes(INGEST, ports.ingest_probes),
            **_probes("gateway", ports.gateway_probes),
            **{name: f"http://{HOST}:{port}" for name, port in name_workers(ports.worker_probes)},
        },
        gateway_url=f"http://{HOST}:{ports.gateway}",
        auth_target=grpc_target([f"{HOST}:{port}" for port in ports.auth]),
        tasks_target=grpc_target([f"{HOST}:{port}" for port in ports.tasks]),
        internal_auth_target=grpc_target([f"{HOST}:{port}" for port in ports.auth_internal]),
        internal_tasks_target=grpc_target([f"{HOST}:{port}" for port in ports.tasks_internal]),
        ingest_target=grpc_target([f"{HOST}:{port}" for port in ports.ingest or ports.tasks_internal]),
        postgres_url=data_servers.postgres_url,
        redis_url=data_servers.redis_url,
        admin_email=credentials.admin_email,
        admin_password=credentials.admin_password,
    )


def _probes(service: str, ports: tuple[int, ...]) -> dict[str, str]:
    return {name: f"http://{HOST}:{port}" for name, port in name_replicas(service, ports)}


async def _check_settings(settings: ServiceSettings, run: Run) -> None:
    """Raise LocalStackError with the problems of all services, before the first process starts."""
    command = check_settings_command(settings)
    try:
        await run_to_completion(command, log=_log_dir(run) / f"{command.name}.log", run=run)
    except ProcessFailed as failure:
        message = "\n".join(["The settings of the services are wrong:", *failure.last_log_lines])
        raise LocalStackError(message) from failure


async def _run_commands(commands: Iterable[ProcessSpec], run: Run) -> None:
    """Run commands in parallel. The first failure cancels the others and is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            for command in commands:
                group.create_task(run_to_completion(command, log=_log_dir(run) / f"{command.name}.log", run=run))
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None


def _log_dir(run: Run) -> Path:
    return run.data_dir / "logs"
