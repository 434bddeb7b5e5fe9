"""Command line of the local stack: `python -m deploy.local run`, `demo`, `backup`, `restore` and `command`."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TextIO

from rich.console import Console

from deploy.interrupts import INTERRUPTED
from deploy.local.arguments import parse_arguments, stack_options
from deploy.local.backup import exec_backup, restore_data
from deploy.local.demo.scenario import run_demo
from deploy.local.errors import LocalStackError, ProcessFailed
from deploy.local.run import run_stack
from deploy.local.service_command import exec_service_command
from deploy.local.stack import Announce


def run_command_line() -> int:
    """Run the command that the arguments name and return the exit status."""
    arguments = parse_arguments()
    try:
        if arguments.command == "command":
            exec_service_command(arguments.data_dir.resolve(), arguments.module, arguments.arguments)
        if arguments.command == "backup":
            exec_backup(arguments.data_dir.resolve(), arguments.folder.resolve())
        with _data_dir(arguments.data_dir) as data_dir:
            is_complete = asyncio.run(_run_until_signal(_command(arguments, data_dir)))
        if arguments.command == "restore" and not is_complete:
            _line_printer(sys.stderr)("Interrupted. Nothing was restored. Repeat the restore.")
            return INTERRUPTED
    except LocalStackError as error:
        _print_error(error)
        return 1
    return 0


def _command(arguments: argparse.Namespace, data_dir: Path) -> Coroutine[None, None, None]:
    if arguments.command == "restore":
        return restore_data(data_dir, arguments.folder.resolve(), announce=_line_printer(sys.stdout))
    options = stack_options(arguments, data_dir)
    if arguments.command == "demo":
        return run_demo(options, rows=arguments.rows, keep=arguments.keep, console=Console())
    return run_stack(options, announce=_line_printer(sys.stdout))


async def _run_until_signal(work: Coroutine[None, None, None]) -> bool:
    """Run the work. Cancel it at the first Ctrl-C, SIGTERM or SIGHUP and wait until it has stopped.

    Return False if it was cancelled.
    """
    signalled = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # nohup ignores SIGHUP
            loop.add_signal_handler(number, signalled.set)
    task = asyncio.ensure_future(work)
    signal_wait = asyncio.ensure_future(signalled.wait())
    await asyncio.wait((task, signal_wait), return_when=asyncio.FIRST_COMPLETED)
    task.cancel()
    signal_wait.cancel()
    with suppress(asyncio.CancelledError):
        await task
    return not task.cancelled()


@contextmanager
def _data_dir(requested: Path | None) -> Iterator[Path]:
    """Yield the requested directory, or a temporary one that is deleted afterwards."""
    if requested is not None:
        yield requested
        return
    with TemporaryDirectory(prefix="taskmanager-") as temporary:
        yield Path(temporary)


def _print_error(error: LocalStackError) -> None:
    print_line = _line_printer(sys.stderr)
    print_line(f"error: {error}")
    if isinstance(error, ProcessFailed) and error.last_log_lines:
        print_line(f"\nLast log lines of {error.process}:")
        for line in error.last_log_lines:
            print_line(f"  {line}")


def _line_printer(stream: TextIO) -> Announce:
    """Return a function that prints a line and flushes it: a program at the other end of a pipe waits for `ready`."""

    def print_line(line: str) -> None:
        with suppress(BrokenPipeError):  # the reader has left, as `head` does; the stack must still stop in order
            stream.write(f"{line}\n")
            stream.flush()

    return print_line
