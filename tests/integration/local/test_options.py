import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.config.options import Options, Ports
from deploy.local.errors import LocalStackError
from deploy.local.host.free_ports import HOST, free_port, is_free


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server((HOST, 0)) as server:
        yield server.getsockname()[1]


def test_zero_means_any_free_port_and_never_the_same_twice():
    ports = Ports.choose(Options(data_dir=Path(), replicas=3))
    chosen = [ports.gateway, *ports.auth, *ports.tasks, ports.postgres, ports.redis]
    assert len(set(chosen)) == len(chosen) == 9
    assert all(is_free(port) for port in chosen)


def test_the_first_replica_has_the_named_port():
    named = free_port()
    ports = Ports.choose(Options(data_dir=Path(), auth_port=named, replicas=2))
    assert ports.auth[0] == named
    assert ports.auth[1] != named


def test_every_port_that_is_taken_is_told_with_its_option(taken_port: int):
    options = Options(data_dir=Path(), gateway_port=taken_port, auth_port=(other := free_port()), tasks_port=other)
    with pytest.raises(LocalStackError) as raised:
        Ports.choose(options)
    assert f"--gateway-port {taken_port} is taken by another program" in str(raised.value)
    assert f"--tasks-port {other} is the same as --auth-port" in str(raised.value)


def test_the_port_of_an_embedded_server_that_is_not_used_may_be_taken(taken_port: int):
    ports = Ports.choose(Options(data_dir=Path(), redis_port=taken_port, redis_url="redis://elsewhere"))
    assert ports.redis != taken_port
