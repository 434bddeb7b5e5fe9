"""Processes beside a measured system."""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from deploy.local.host.free_ports import HOST
from deploy.local.services.python_process import GRPC_ENVIRONMENT

_START_SECONDS = 30


@asynccontextmanager
async def running_module(
    *arguments: str, port: int, log: Path, environment: Mapping[str, str], folder: Path | None = None
) -> AsyncIterator[int]:
    """Run `python -m arguments` in the folder until the context ends; yield its pid once it listens on the port."""
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", *arguments),
            env={**GRPC_ENVIRONMENT, **environment},
            cwd=folder,
            stdout=output,
            stderr=output,
            process_group=0,
        )
    try:
        async with asyncio.timeout(_START_SECONDS):
            while not await _is_listening(port):  # noqa: ASYNC110 - another process cannot set an event here
                await asyncio.sleep(0.1)
        yield process.pid
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _is_listening(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return False
    writer.close()
    return True
