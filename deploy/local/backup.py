"""The commands `backup` and `restore`: deploy.backup with the settings of a data directory."""

import asyncio
import os
import shutil
import sys
from pathlib import Path
from typing import NoReturn

from deploy.backup.errors import BackupError
from deploy.backup.manifest import Manifest
from deploy.local.config.credentials import Credentials
from deploy.local.config.endpoints import Endpoints
from deploy.local.config.options import Options
from deploy.local.config.ports import Ports
from deploy.local.errors import LocalStackError, ProcessFailed
from deploy.local.servers.data_servers import DataServers
from deploy.local.services.commands import backup_command
from deploy.local.services.settings import ServiceSettings
from deploy.local.stack import Announce, endpoints_of
from deploy.local.supervision.data_dir_lock import exclusive_run
from deploy.local.supervision.process import ProcessSpec
from deploy.local.supervision.run import Run
from deploy.local.supervision.single_process import run_to_completion, running_process


def exec_backup(data_dir: Path, folder: Path) -> NoReturn:
    """Replace this process with the backup of a running stack. Raise LocalStackError if none runs."""
    settings = ServiceSettings(
        data_dir=data_dir, endpoints=Endpoints.read(data_dir), credentials=Credentials.load_or_create(data_dir)
    )
    command = backup_command(settings, "create", folder)
    os.execve(sys.executable, list(command.argv), dict(command.env))  # noqa: S606 - no shell is meant


async def restore_data(data_dir: Path, folder: Path, *, announce: Announce) -> None:
    """Restore a backup into a data directory that has nothing but the secrets of the backed-up stack.

    A restore that fails leaves no database, so that it can be repeated. Raise LocalStackError if it can't be made.
    """
    _check_data_dir(data_dir)
    _check_backup(folder)
    credentials = Credentials.load_or_create(data_dir)
    options = Options(data_dir=data_dir)
    async with exclusive_run(data_dir) as run:
        ports = Ports.choose(options)
        servers = DataServers.choose(options, data_dir=run.data_dir, ports=ports, credentials=credentials)
        settings = ServiceSettings(
            data_dir=run.data_dir, credentials=credentials, endpoints=endpoints_of(ports, credentials, servers)
        )
        logs = run.data_dir / "logs"
        announce("starting Postgres")
        try:
            postgres, *_ = await servers.prepare()
            async with running_process(postgres, log=logs / "postgres.log", run=run):
                await servers.create_database()
                announce(f"restoring {folder}")
                command = backup_command(settings, "restore", folder)
                summary = await _run(command, log=logs / "restore.log", run=run)
        except BaseException:
            await asyncio.to_thread(shutil.rmtree, run.data_dir / "postgres", ignore_errors=True)
            raise
    announce("\n".join(summary))


async def _run(command: ProcessSpec, *, log: Path, run: Run) -> tuple[str, ...]:
    """Return the lines of the command. An error that it explains in one line is raised as that line."""
    try:
        return await run_to_completion(command, log=log, run=run)
    except ProcessFailed as failure:
        *_, last_line = failure.last_log_lines or ("",)
        if last_line.startswith("error: "):
            raise LocalStackError(last_line.removeprefix("error: ")) from failure
        raise


def _check_backup(folder: Path) -> None:
    """Check before Postgres starts, which takes seconds. The command checks everything else."""
    try:
        Manifest.read(folder)
    except BackupError as error:
        raise LocalStackError(str(error)) from None


def _check_data_dir(data_dir: Path) -> None:
    if not (data_dir / "secrets.json").exists():
        message = (
            f"{data_dir}/secrets.json is missing. Copy the file of the stack that was backed up: it holds"
            " AUTH_KEY_ENCRYPTION_KEY, and the passwords of the roles."
        )
        raise LocalStackError(message)
    if (data_dir / "postgres").exists():
        message = f"{data_dir} has a database already. Restore into a new data directory."
        raise LocalStackError(message)
