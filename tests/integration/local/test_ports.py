import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from subprocess import DEVNULL, PIPE

import pytest

from deploy.local.config.options import Options
from deploy.local.config.ports import Ports
from deploy.local.errors import LocalStackError
from deploy.local.host.free_ports import HOST, find_free_port, is_port_free


@pytest.fixture
def occupied_port() -> Iterator[int]:
    with socket.create_server((HOST, 0)) as server:
        yield server.getsockname()[1]


def test_zero_chooses_distinct_free_ports():
    ports = Ports.choose(Options(data_dir=Path(), replicas=3, gateways=2, workers=2, ingest_processes=2))
    chosen = [ports.gateway, *ports.auth, *ports.tasks, ports.postgres, ports.redis]
    chosen += [*ports.auth_internal, *ports.tasks_internal, *ports.auth_probes, *ports.tasks_probes]
    chosen += [*ports.gateway_probes, *ports.worker_probes, *ports.ingest, *ports.ingest_probes]
    assert len(set(chosen)) == len(chosen) == 29
    assert all(is_port_free(port) for port in chosen)


CHOOSE_PORTS = "from deploy.local.host.free_ports import find_free_port; print(*(find_free_port() for _ in range(200)))"


def test_parallel_programs_choose_different_ports():
    """No two programs choose the same port, although no server has bound its port yet."""
    command = [sys.executable, "-ic", CHOOSE_PORTS]
    with ExitStack() as stack:
        programs = [
            stack.enter_context(subprocess.Popen(command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, text=True))
            for _ in range(3)
        ]
        # With -i, a program that has printed its ports runs on until its standard input ends.
        outputs = [program.stdout for program in programs if program.stdout]
        chosen = [port for output in outputs for port in output.readline().split()]
    assert len(set(chosen)) == len(chosen) == 600


def test_first_replica_gets_the_requested_port():
    requested = find_free_port()
    ports = Ports.choose(Options(data_dir=Path(), auth_port=requested, replicas=2))
    assert ports.auth[0] == requested
    assert ports.auth[1] != requested


def test_error_names_the_option_of_every_unusable_port(occupied_port: int):
    other = find_free_port()
    options = Options(data_dir=Path(), gateway_port=occupied_port, auth_port=other, tasks_port=other)
    with pytest.raises(LocalStackError) as raised:
        Ports.choose(options)
    assert f"--gateway-port {occupied_port} is in use by another program" in str(raised.value)
    assert f"--tasks-port {other} is the same as --auth-port" in str(raised.value)


def test_port_of_an_unused_embedded_server_may_be_occupied(occupied_port: int):
    ports = Ports.choose(Options(data_dir=Path(), redis_port=occupied_port, redis_url="redis://elsewhere"))
    assert ports.redis != occupied_port
