"""The command `command`: a service's command, such as auth_service.commands.create_service, on a running stack."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from deploy.local.config.credentials import Credentials
from deploy.local.config.endpoints import Endpoints
from deploy.local.errors import LocalStackError
from deploy.local.host.repository import REPOSITORY_ROOT
from deploy.local.services.commands import operator_command
from deploy.local.services.settings import ServiceSettings


def exec_service_command(data_dir: Path, module: str, arguments: Sequence[str]) -> NoReturn:
    """Replace this process with `python -m module arguments...`, with the settings of the stack's services.

    Raise LocalStackError if there is no such command, or no stack runs on the data directory.
    """
    if module not in (commands := _commands()):
        problem = f"There is no command {module}." if module else "Name a command."
        message = "\n".join([f"{problem} There are:", *commands])
        raise LocalStackError(message)
    settings = ServiceSettings(
        data_dir=data_dir,
        endpoints=Endpoints.read(data_dir),
        credentials=Credentials.load_or_create(data_dir),
    )
    command = operator_command(settings, module, *arguments)
    os.execve(sys.executable, list(command.argv), dict(command.env))  # noqa: S606 - no shell is meant


def _commands() -> list[str]:
    """Return the modules of the services that can be run."""
    files = REPOSITORY_ROOT.glob("*_service/commands/*.py")
    return sorted(
        f"{file.parts[-3]}.commands.{file.stem}" for file in files if "__main__" in file.read_text(encoding="utf-8")
    )
