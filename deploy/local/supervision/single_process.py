"""Single processes that run without a supervisor: commands, and the servers of the tests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from deploy.local.errors import ProcessFailed, ProcessNotReady
from deploy.local.supervision.process import Process, ProcessSpec, describe_exit_status
from deploy.local.supervision.run import Run


@asynccontextmanager
async def running_process(spec: ProcessSpec, *, log: Path, run: Run) -> AsyncIterator[Process]:
    """Start a process, yield it when it is ready, and stop it. Raise ProcessFailed if it does not become ready."""
    process = await Process.start(spec, log=log, run=run)
    try:
        try:
            await process.wait_until_ready()
        except ProcessNotReady as error:
            raise ProcessFailed(str(error), process=spec.name, last_log_lines=process.last_log_lines()) from error
        yield process
    finally:
        await process.stop()


async def run_to_completion(spec: ProcessSpec, *, log: Path, run: Run) -> tuple[str, ...]:
    """Run a command and return the last lines that it wrote. Raise ProcessFailed if its exit status is not 0."""
    process = await Process.start(spec, log=log, run=run)
    try:
        status = await process.wait_until_exit()
    finally:
        await process.stop()
    if status:
        message = f"{spec.name} {describe_exit_status(status)}"
        raise ProcessFailed(message, process=spec.name, last_log_lines=process.last_log_lines())
    return process.last_log_lines()
