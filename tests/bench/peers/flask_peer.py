"""Peer: the minimal Flask and SQLAlchemy application in flask_app, served by gunicorn."""

import os
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2

from deploy.local.host.free_ports import HOST, find_free_port
from tests.bench.calls import PAGE_SIZE
from tests.bench.peers.application import TASK, Application, Collection, json_of, open_application
from tests.bench.peers.installation import (
    WORKERS,
    create_database,
    install,
    run_command,
    running_server,
)
from tests.bench.system import PASSWORD, System

NAME = "Flask"
ENVIRONMENT = "flask"

_FOLDER = Path(__file__).parent
_APP = _FOLDER / "flask_app"
_TASKS = Collection("/api/v1/tasks", page=f"page_size={PAGE_SIZE}", list_key="tasks", task=TASK)


@asynccontextmanager
async def running_flask_app(system: System) -> AsyncIterator[Application]:
    """Install and run the application. Raise PeerUnavailable if that fails."""
    programs = await install(ENVIRONMENT, "--require-hashes", "--requirements", str(_FOLDER / "requirements.txt"))
    database_url = await create_database(system, "peer_flask")
    log = system.folder / "logs" / "peer_flask.log"
    async with serving(programs, database_url, log=log, environment=system.orphan_markers) as url:
        yield await open_task_manager(NAME, url)


@asynccontextmanager
async def serving(
    programs: Path, database_url: str, *, log: Path, environment: Mapping[str, str]
) -> AsyncIterator[str]:
    """Create the tables and run the server on a free port; yield its URL."""
    environment = {
        **environment,
        "PATH": os.environ["PATH"],
        "DATABASE_URL": database_url.replace("postgresql://", "postgresql+psycopg://"),
        "SECRET_KEY": secrets.token_hex(32),
    }
    await run_command(str(programs / "python"), "-m", "tasks_app", environment=environment, cwd=_APP)
    address = f"{HOST}:{find_free_port()}"
    command = (str(programs / "gunicorn"), "--workers", str(WORKERS), "--bind", address, "tasks_app:create_app()")
    url = f"http://{address}"
    async with running_server(*command, cwd=_APP, environment=environment, log=log, ready_url=url + _TASKS.path):
        yield url


async def open_task_manager(name: str, url: str) -> Application:
    """Open a task manager that has our routes: ours or the Flask application."""
    return await open_application(name, url, _TASKS, _login)


async def _login(client: httpx2.AsyncClient, name: str) -> str:
    username = f"{name}-{secrets.token_hex(3)}"
    credentials = {"email": f"{username}@example.com", "password": PASSWORD}
    json_of(await client.post("/api/v1/register", json={"username": username, **credentials}))
    return str(json_of(await client.post("/api/v1/login", json=credentials))["access_token"])
