"""Peer: the full-stack FastAPI template, from a folder of its user.

The adapter knows its documented layout. `backend/` has `pyproject.toml` with the dependencies, `alembic.ini`,
`app/initial_data.py` and `app.main:app`. Environment variables configure it. Users sign up at
`/api/v1/users/signup`, log in with an OAuth2 form at `/api/v1/login/access-token`, and have `/api/v1/items/`.
"""

import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx2

from deploy.local.host.free_ports import HOST, find_free_port
from tests.bench.calls import PAGE_SIZE
from tests.bench.peers.application import TASK, Application, Collection, PeerUnavailable, json_of, open_application
from tests.bench.peers.installation import (
    WORKERS,
    create_database,
    install,
    run_command,
    running_server,
)
from tests.bench.system import System

NAME = "FastAPI template"

_ITEMS = Collection(
    "/api/v1/items/",
    page=f"limit={PAGE_SIZE}",
    list_key="data",
    task={"title": TASK["title"], "description": TASK["description"]},
)
_NEEDED_FILES = ("pyproject.toml", "alembic.ini", "app/main.py", "app/initial_data.py")
_PASSWORD = secrets.token_hex(16)


def find_backend(folder: str) -> Path:
    """Return the folder of the template's backend. Raise PeerUnavailable if there is none."""
    if not folder:
        raise PeerUnavailable("PEERS=folder is not given. Name a folder that has the template, or its backend.")
    for backend in (Path(folder) / "backend", Path(folder)):
        if all((backend / file).is_file() for file in _NEEDED_FILES):
            return backend.resolve()
    raise PeerUnavailable(f"Neither {folder} nor its folder `backend` has {', '.join(_NEEDED_FILES)}.")


@asynccontextmanager
async def running_template(system: System, folder: str) -> AsyncIterator[Application]:
    """Install, migrate and run the template. Raise PeerUnavailable if that fails."""
    backend = find_backend(folder)
    programs = await install("template", "--requirements", str(backend / "pyproject.toml"))
    database_url = await create_database(system, "peer_template")
    environment = {**system.orphan_markers, **_settings(database_url, system.folder / "pycache")}
    python = str(programs / "python")
    await run_command(python, "-m", "alembic", "upgrade", "head", environment=environment, cwd=backend)
    await run_command(python, "-m", "app.initial_data", environment=environment, cwd=backend)
    port = str(find_free_port())
    command = (python, "-m", "uvicorn", "app.main:app", "--host", HOST, "--port", port, "--workers", str(WORKERS))
    url, log = f"http://{HOST}:{port}", system.folder / "logs" / "peer_template.log"
    async with running_server(*command, cwd=backend, environment=environment, log=log, ready_url=url + _ITEMS.path):
        yield await open_application(NAME, url, _ITEMS, _login)


def _settings(database_url: str, bytecode: Path) -> dict[str, str]:
    """Return the environment. Variables of it replace those of the folder's `.env`."""
    database = urlsplit(database_url)
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPYCACHEPREFIX": str(bytecode),  # nothing is written into the folder
        "PROJECT_NAME": "Peer",
        "ENVIRONMENT": "local",
        "SECRET_KEY": secrets.token_hex(32),
        "FIRST_SUPERUSER": "admin@example.com",
        "FIRST_SUPERUSER_PASSWORD": _PASSWORD,
        "POSTGRES_SERVER": database.hostname or "",
        "POSTGRES_PORT": str(database.port),
        "POSTGRES_USER": database.username or "",
        "POSTGRES_PASSWORD": database.password or "",
        "POSTGRES_DB": database.path.removeprefix("/"),
    }


async def _login(client: httpx2.AsyncClient, name: str) -> str:
    email = f"{name}@example.com"
    json_of(await client.post("/api/v1/users/signup", json={"email": email, "password": _PASSWORD}))
    form = {"username": email, "password": _PASSWORD}
    return str(json_of(await client.post("/api/v1/login/access-token", data=form))["access_token"])
