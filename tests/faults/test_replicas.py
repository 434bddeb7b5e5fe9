"""Two replicas of each service and two gateways: a restart and a process that hangs fail no request."""

import os
import signal
from collections.abc import AsyncIterator

import httpx2 as httpx
import pytest

from tests.faults.steady_requests import open_clients, requests, restart
from tests.support.stack import LocalStack, running_stack
from tests.support.waiting import until_awaited

ROUNDS = int(os.environ.get("FAULT_RESTART_ROUNDS", "1"))
"""Restarts of each process. One round takes about 20 seconds."""

SETTINGS = {f"{prefix}_DRAIN_DELAY_SECONDS": "1" for prefix in ("AUTH", "TASKS", "GATEWAY")}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory):
    data_dir = tmp_path_factory.mktemp("replicas") / "data"
    with running_stack(data_dir, "--replicas", "2", "--gateways", "2", **SETTINGS) as running:
        yield running


@pytest.fixture
async def clients(stack: LocalStack) -> AsyncIterator[list[httpx.AsyncClient]]:
    async with open_clients(stack) as clients:
        yield clients


@pytest.mark.timeout(600)
async def test_rolling_restart_fails_no_request(stack: LocalStack, clients: list[httpx.AsyncClient]):
    async with requests(clients):
        for _ in range(ROUNDS):
            for name in stack.endpoints["probes"]:
                await restart(stack, name)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", ["auth_service-1", "task_service-1"])
async def test_process_that_hangs_fails_no_request(stack: LocalStack, clients: list[httpx.AsyncClient], name: str):
    """Its connections answer no pings, so that clients leave it and repeat what they sent to it."""
    pid = stack.endpoints["processes"][name]
    async with requests(clients) as results:
        os.kill(pid, signal.SIGSTOP)
        try:
            before = results["success"]

            async def clients_go_on() -> bool:
                return results["success"] > before + 300

            await until_awaited(clients_go_on, seconds=60)
        finally:
            os.kill(pid, signal.SIGCONT)
