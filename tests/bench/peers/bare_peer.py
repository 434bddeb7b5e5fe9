"""Floor: the bare gateway in front of the echo server.

Their requests cross two processes as ours do, with gRPC between them, and nothing else is done for them. What they
reach is the limit of every task manager that is built of two such processes.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from deploy.local.host.free_ports import HOST, find_free_port
from tests.bench.calls import PAGE_SIZE
from tests.bench.echo_floor import running_echo
from tests.bench.gateway_calls import sample_page
from tests.bench.peers.application import CREATE, GET, LIST, Application, Request, check_requests
from tests.bench.process import running_module
from tests.bench.system import System

NAME = "bare processes"

_PATH = "/api/v1/tasks"


@asynccontextmanager
async def running_bare_processes(system: System) -> AsyncIterator[Application]:
    """Run both with a page of sample tasks. The requests have the token of the system's user."""
    page = system.folder / "bare.binpb"
    page.write_bytes(sample_page().SerializeToString())
    port, log = find_free_port(), system.folder / "logs" / "bare.log"
    environment = {**os.environ, **system.orphan_markers}
    async with running_echo(system, sample_page()) as echo:
        arguments = ("tests.bench.bare_gateway", str(port), echo.target, str(page))
        async with running_module(*arguments, port=port, log=log, environment=environment):
            requests = {
                GET: Request("GET", f"{_PATH}/any", system.token),
                LIST: Request("GET", f"{_PATH}?page_size={PAGE_SIZE}", system.token),
                CREATE: Request("POST", _PATH, system.token, b"{}"),
            }
            yield await check_requests(NAME, f"http://{HOST}:{port}", requests, list_key="tasks")
