"""A stranger's server on the port of a supervised process: the supervisor never takes it for its own."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.local.config.credentials import Credentials
from deploy.local.config.endpoints import Endpoints
from deploy.local.config.ports import Ports
from deploy.local.errors import ProcessFailed
from deploy.local.host.free_ports import HOST, listening_socket
from deploy.local.services.processes import service_processes
from deploy.local.services.settings import ServiceSettings
from deploy.local.supervision.process import ProcessSpec
from deploy.local.supervision.run import Run
from deploy.local.supervision.supervisor import Supervisor

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}"


@pytest.fixture
async def stranger() -> AsyncIterator[int]:
    """Return the port of an HTTP server that answers every request with 200."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, HOST, 0) as server:
        yield server.sockets[0].getsockname()[1]


@pytest.fixture
async def supervisor(run: Run, tmp_path: Path) -> AsyncIterator[Supervisor]:
    supervisor = Supervisor(run=run, log_dir=tmp_path / "logs", announce=lambda _: None)
    yield supervisor
    await supervisor.stop()


def all_processes(data_dir: Path, *, gateway_probes: int) -> list[ProcessSpec]:
    """Return the processes of all services."""
    endpoints = Endpoints(
        gateway_url="http://127.0.0.1:11",
        auth_target=f"{HOST}:1",
        tasks_target=f"{HOST}:2",
        internal_auth_target=f"{HOST}:6",
        internal_tasks_target=f"{HOST}:7",
        ingest_target=f"{HOST}:12",
        postgres_url="postgresql://postgres@127.0.0.1:3/postgres",
        redis_url="redis://127.0.0.1:4",
        probes={},
        admin_email="admin@example.com",
        admin_password="",
    )
    settings = ServiceSettings(data_dir=data_dir, credentials=Credentials.load_or_create(data_dir), endpoints=endpoints)
    ports = Ports(
        gateway=11,
        auth=(1,),
        tasks=(2,),
        auth_internal=(6,),
        tasks_internal=(7,),
        ingest=(12,),
        auth_probes=(8,),
        tasks_probes=(9,),
        ingest_probes=(13,),
        gateway_probes=(gateway_probes,),
        worker_probes=(10,),
        postgres=3,
        redis=4,
    )
    with listening_socket(0) as gateway_socket:
        groups = service_processes(settings, ports=ports, gateway_socket=gateway_socket.fileno())
    return [spec for group in groups for spec in group]


async def test_gateway_fails_on_the_port_of_a_stranger(supervisor: Supervisor, run: Run, stranger: int):
    """The stranger answers the readiness probe. The gateway's own process can't listen, and its fifth exit is final."""
    *_, gateway = all_processes(run.data_dir, gateway_probes=stranger)
    gateway = replace(gateway, inherited_fds=())
    with pytest.raises(ProcessFailed, match="gateway ended with exit status 2 before it was ready"):
        await supervisor.start([gateway])


def test_each_server_must_own_its_port(run: Run):
    ports = {spec.name: spec.port for spec in all_processes(run.data_dir, gateway_probes=5)}
    assert ports == {
        "auth_service": 1,
        "task_service": 2,
        "task_service_ingest": 12,
        "import_worker-1": 10,
        "gateway": 5,
    }


def test_only_workers_call_the_ingest_processes(run: Run):
    environments = {spec.name: spec.env for spec in all_processes(run.data_dir, gateway_probes=5)}
    assert environments["import_worker-1"]["IMPORT_WORKER_TASKS_TARGET"] == f"{HOST}:12"
    assert environments["gateway"]["GATEWAY_TASKS_TARGET"] == f"{HOST}:7"
