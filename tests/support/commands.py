"""Operators' commands, run as processes with an environment."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Mapping

Command = Callable[..., Awaitable[tuple[int | None, str, str]]]


def command_runner(service: str, prefix: str, settings: Mapping[str, str]) -> Command:
    """Return a function that runs a command of the service and returns its exit status, stdout and stderr.

    The command gets `settings` and what a call adds, but none of this process's settings with the prefix.
    """

    async def run(name: str, *arguments: str, **environment: str) -> tuple[int | None, str, str]:
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(f"{prefix}_")}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            f"{service}.commands.{name}",
            *arguments,
            env={**inherited, **settings, **environment},
            stdin=asyncio.subprocess.DEVNULL,
            start_new_session=True,  # no terminal, also if the tests have one
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        return process.returncode, out.decode(), err.decode()

    return run
