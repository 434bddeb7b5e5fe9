"""A real pgbouncer in transaction mode in front of Postgres. Debian's package `pgbouncer` has the program."""

import os
import shutil
import signal
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from chassis.testing.database import PASSWORD
from deploy.local.host.free_ports import HOST, find_free_port
from deploy.local.servers.postgres_user import unprivileged_user
from deploy.local.supervision.probes import postgres_is_ready
from deploy.local.supervision.process import ProcessSpec
from tests.support.embedded_servers import EmbeddedServer

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")

needs_pgbouncer = pytest.mark.skipif(
    PROGRAM is None, reason="pgbouncer is not installed: apt-get install --no-install-recommends pgbouncer"
)

POOL_SIZE = 5
"""Few server connections, so that concurrent clients share them."""
ROLES = ("auth_app", "tasks_app")


@dataclass(frozen=True, slots=True, kw_only=True)
class PgbouncerServer:
    """pgbouncer that forwards the app roles of one database."""

    directory: Path
    upstream_url: str
    """URL of the database, of any role."""
    port: int = field(default_factory=find_free_port)

    @property
    def url(self) -> str:
        """URL of the database through the pooler."""
        database = urlsplit(self.upstream_url).path
        return f"postgresql://{ROLES[0]}:{PASSWORD}@{HOST}:{self.port}{database}"

    async def prepare(self) -> ProcessSpec:
        """Write the configuration. pgbouncer refuses to run as root, so its files may belong to another user."""
        user = unprivileged_user() if os.geteuid() == 0 else None
        self.directory.mkdir(parents=True, exist_ok=True)
        files = {"pgbouncer.ini": self._configuration(), "userlist.txt": self._users()}
        for name, content in files.items():
            (self.directory / name).write_text(content)
        for path in (self.directory, *(self.directory / name for name in files)):
            path.chmod(0o700)
            if user is not None:
                os.chown(path, user.uid, user.gid)
        return ProcessSpec(
            name="pgbouncer",
            # Relative, because the user may not reach the folders above.
            argv=(str(PROGRAM), "pgbouncer.ini"),
            readiness_probe=lambda: postgres_is_ready(self.url),
            cwd=self.directory,
            user=user,
            stop_signal=signal.SIGINT,
        )

    def _configuration(self) -> str:
        upstream = urlsplit(self.upstream_url)
        return f"""
            [databases]
            {upstream.path.removeprefix("/")} = host={upstream.hostname} port={upstream.port}
            [pgbouncer]
            listen_addr = {HOST}
            listen_port = {self.port}
            unix_socket_dir =
            auth_type = scram-sha-256
            auth_file = userlist.txt
            pool_mode = transaction
            default_pool_size = {POOL_SIZE}
            max_client_conn = 500
            server_login_retry = 1
            query_wait_timeout = 2
        """.replace("            ", "")

    @staticmethod
    def _users() -> str:
        return "".join(f'"{role}" "{PASSWORD}"\n' for role in ROLES)


class EmbeddedPgbouncer(EmbeddedServer):
    """pgbouncer that runs during an `async with`."""

    def __init__(self, directory: Path, *, upstream_url: str) -> None:
        self.server = PgbouncerServer(directory=directory / "config", upstream_url=upstream_url)
        super().__init__(self.server, directory=directory)
