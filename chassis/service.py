"""Entry point of a service: its command line, its logs, and the exit status of a failed start."""

import argparse
import asyncio
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

import uvloop

from chassis.kernel.errors import StartError
from chassis.lifecycle import serve_until_signal
from chassis.logs import configure_logging
from chassis.service_settings import ServiceSettings
from chassis.settings import MISCONFIGURED, load_settings
from chassis.tracing.provider import trace_process
from chassis.version import VERSION

S = TypeVar("S", bound=ServiceSettings)


def parse_command_line(name: str) -> None:
    """Handle --version and --help. Settings come from the environment, so any other argument is wrong."""
    parser = argparse.ArgumentParser(
        prog=f"python -m {name}",
        description="Settings are environment variables. .env.example lists all of them.",
    )
    parser.add_argument("--version", action="version", version=f"{name} {VERSION}")
    parser.parse_args()


def run_service(
    name: str,
    settings_class: type[S],
    run_server: Callable[[S], AbstractAsyncContextManager[Any]],
) -> None:
    """Run a service until SIGTERM or SIGINT.

    Print one line for each problem that stops the start and that the operator must fix, and exit with status 2.
    """
    parse_command_line(name)
    settings = load_settings(settings_class)
    configure_logging(settings.log_level, name)
    problems: list[str] = []
    try:
        with trace_process(name), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve_until_signal(run_server(settings)))
    except* StartError as group:
        problems += [f"{name}: {error}" for error in _flatten(group)]
    if problems:
        sys.stderr.write("\n".join(problems) + "\n")
        raise SystemExit(MISCONFIGURED)


def _flatten(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    """Return the exceptions in a group and in its nested groups."""
    return [
        exception
        for error in group.exceptions
        for exception in (_flatten(error) if isinstance(error, BaseExceptionGroup) else [error])
    ]
