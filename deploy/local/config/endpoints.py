"""endpoints.json: where everything is, for programs and people that work with a running stack."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local.errors import LocalStackError
from deploy.local.host.private_files import write_private

_FILE = "endpoints.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """How the parts of a running stack are reached."""

    gateway_url: str
    auth_target: str
    tasks_target: str
    postgres_url: str = field(repr=False)
    """A superuser's, for operators."""
    redis_url: str = field(repr=False)
    admin_email: str
    admin_password: str = field(repr=False)

    def write(self, data_dir: Path, processes: Mapping[str, int]) -> Path:
        """Replaces the data directory's file; `processes` are process ids by name. Returns where it is."""
        path = data_dir / _FILE
        content = {
            "gateway_url": self.gateway_url,
            "auth_target": self.auth_target,
            "tasks_target": self.tasks_target,
            "postgres_url": self.postgres_url,
            "redis_url": self.redis_url,
            "admin": {"email": self.admin_email, "password": self.admin_password},
            "processes": dict(processes),
        }
        write_private(path, json.dumps(content, indent=2) + "\n")
        return path


def read_urls(data_dir: Path) -> tuple[str, str]:
    """The URLs of Postgres and Redis of the stack that runs on a folder. LocalStackError when none does."""
    try:
        content = json.loads((data_dir / _FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        message = f"no stack runs on {data_dir}: start one with `python -m deploy.local run --data-dir {data_dir}`"
        raise LocalStackError(message) from None
    return content["postgres_url"], content["redis_url"]


def remove_endpoints(data_dir: Path) -> None:
    """Removes the file, which would otherwise speak of a stack that no longer runs."""
    (data_dir / _FILE).unlink(missing_ok=True)


def target_of(addresses: Sequence[str]) -> str:
    """Returns the gRPC target of one or several addresses (gRPC's naming: `ipv4:` lists them)."""
    return addresses[0] if len(addresses) == 1 else f"ipv4:{','.join(addresses)}"
