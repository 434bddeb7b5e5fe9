"""Peers: a virtual environment, a database and processes of their own."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from signal import SIGKILL, SIGTERM
from urllib.parse import urlsplit

import httpx2
import psycopg
from psycopg import sql

from deploy.local.host.repository import REPOSITORY_ROOT
from tests.bench.peers.application import PeerUnavailable, open_client
from tests.bench.system import System

WORKERS = 2
"""Processes of each peer."""

_CACHE = REPOSITORY_ROOT / ".bench_cache"
_INSTALL_SECONDS = 300
_START_SECONDS = 30
_STOP_SECONDS = 10


def programs_of(name: str) -> Path:
    """Return the folder of the programs of an environment, which exists after `install`."""
    return _CACHE / name / "bin"


async def install(name: str, *arguments: str) -> Path:
    """Create a virtual environment and run `uv pip install` in it with the arguments; return its programs.

    Raise PeerUnavailable if that fails.
    """
    programs = programs_of(name)
    uv = str(Path(sys.executable).with_name("uv"))
    python = programs / "python"
    if not python.exists():
        folder = str(programs.parent)
        await run_command(uv, "venv", "--quiet", "--python", sys.executable, folder, environment=os.environ)
    await run_command(uv, "pip", "install", "--quiet", "--python", str(python), *arguments, environment=os.environ)
    return programs


async def run_command(*command: str, environment: Mapping[str, str], cwd: Path | None = None) -> None:
    """Run a command. Raise PeerUnavailable with its last lines of output if it fails."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command, env=environment, cwd=cwd, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
    except OSError as error:
        raise PeerUnavailable(str(error)) from None
    try:
        async with asyncio.timeout(_INSTALL_SECONDS):
            output, _ = await process.communicate()
    except TimeoutError:
        raise PeerUnavailable(f"`{Path(command[0]).name} {command[1]}` took more than {_INSTALL_SECONDS} s.") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        raise PeerUnavailable(f"`{' '.join([Path(command[0]).name, *command[1:]])}` failed: {_last_lines(output)}")


async def create_database(system: System, name: str) -> str:
    """Create an empty database on the server of the stack; return its URL for a superuser."""
    url = system.stack.endpoints.postgres_url
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return urlsplit(url)._replace(path=f"/{name}").geturl()


@asynccontextmanager
async def running_server(
    *command: str, cwd: Path, environment: Mapping[str, str], log: Path, ready_url: str
) -> AsyncIterator[None]:
    """Run a server until the end of the context; it is ready when `ready_url` returns any response.

    Raise PeerUnavailable if it does not start.
    """
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=cwd, env=environment, stdout=output, stderr=output, process_group=0
        )
    try:
        await _wait_until_ready(process, ready_url, log)
        yield
    finally:
        await _stop(process)


async def _wait_until_ready(process: asyncio.subprocess.Process, url: str, log: Path) -> None:
    try:
        async with open_client(url) as client, asyncio.timeout(_START_SECONDS):
            while process.returncode is None:
                with suppress(httpx2.TransportError):
                    await client.get("")
                    return
                await asyncio.sleep(0.1)
    except TimeoutError:
        pass
    raise PeerUnavailable(f"It does not start: {_last_lines(await asyncio.to_thread(log.read_bytes))}")


async def _stop(process: asyncio.subprocess.Process) -> None:
    """Stop the server, then kill its process group if it takes too long."""
    if process.returncode is not None:
        return
    os.killpg(process.pid, SIGTERM)
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        os.killpg(process.pid, SIGKILL)
        await process.wait()


def _last_lines(output: bytes) -> str:
    return " | ".join(output.decode(errors="replace").strip().splitlines()[-5:])
