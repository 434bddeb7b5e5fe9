"""Operators' commands, as operators run them: processes with an environment."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Mapping

Command = Callable[..., Awaitable[tuple[int | None, str, str]]]


def commands_of(service: str, prefix: str, own: Mapping[str, str]) -> Command:
    """Runs a command of the service to its end; answers its exit status, stdout and stderr.

    Nothing of this process's own settings reaches it: only `own`, and what a call adds.
    """

    async def run(name: str, *arguments: str, **environment: str) -> tuple[int | None, str, str]:
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(f"{prefix}_")}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            f"{service}.commands.{name}",
            *arguments,
            env={**inherited, **own, **environment},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        return process.returncode, out.decode(), err.decode()

    return run
