"""Running a service's command, such as auth_service.commands.create_service, against a running stack."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from deploy.local.config.credentials import Credentials
from deploy.local.config.endpoints import read_urls
from deploy.local.config.options import Options, Ports
from deploy.local.services.settings import Services


def become_command(data_dir: Path, module: str, arguments: Sequence[str]) -> NoReturn:
    """Replaces this process by `python -m module arguments...` with the settings of the stack's services.

    Raises LocalStackError when no stack runs on the folder.
    """
    postgres_url, redis_url = read_urls(data_dir)
    services = Services(
        data_dir=data_dir,
        credentials=Credentials.of(data_dir),
        ports=Ports.choose(Options(data_dir=data_dir)),  # asked for by no command
        postgres_url=postgres_url,
        redis_url=redis_url,
        workers=1,
    )
    command = services.command(module, *arguments)
    os.execve(sys.executable, list(command.argv), dict(command.env))  # noqa: S606 - no shell is meant
