"""endpoints.json: the addresses, the admin's login and the process ids of a running stack, for programs and people."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from deploy.local.errors import LocalStackError
from deploy.local.host.private_files import write_private_file

_FILE_NAME = "endpoints.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """Addresses of a running stack and the login of its admin."""

    gateway_url: str
    auth_target: str
    tasks_target: str
    internal_auth_target: str
    """For the processes of the stack, as is the next one."""
    internal_tasks_target: str
    ingest_target: str
    """For import workers."""
    postgres_url: str = field(repr=False)
    """Superuser URL, for operators."""
    redis_url: str = field(repr=False)
    probes: Mapping[str, str]
    """URLs of the health checks and metrics, by process: /healthz, /readyz, /statusz and /metrics."""
    admin_email: str
    admin_password: str = field(repr=False)

    def write(self, data_dir: Path, processes: Mapping[str, int]) -> Path:
        """Replace the endpoints file of a data directory and return its path.

        `processes` maps the names of the processes to their ids.
        """
        path = data_dir / _FILE_NAME
        content = {
            "gateway_url": self.gateway_url,
            "auth_target": self.auth_target,
            "tasks_target": self.tasks_target,
            "internal_auth_target": self.internal_auth_target,
            "internal_tasks_target": self.internal_tasks_target,
            "ingest_target": self.ingest_target,
            "postgres_url": self.postgres_url,
            "redis_url": self.redis_url,
            "admin": {"email": self.admin_email, "password": self.admin_password},
            "probes": dict(self.probes),
            "processes": dict(processes),
        }
        write_private_file(path, json.dumps(content, indent=2) + "\n")
        return path

    @classmethod
    def read(cls, data_dir: Path) -> Self:
        """Return the endpoints of the stack that runs on a data directory. Raise LocalStackError if none runs."""
        try:
            content = json.loads((data_dir / _FILE_NAME).read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            message = (
                f"No stack runs on {data_dir}. Start one with `make run DATA={data_dir}`, or name the folder of the one"
                " that runs with --data-dir."
            )
            raise LocalStackError(message) from None
        return cls(
            gateway_url=content["gateway_url"],
            auth_target=content["auth_target"],
            tasks_target=content["tasks_target"],
            internal_auth_target=content["internal_auth_target"],
            internal_tasks_target=content["internal_tasks_target"],
            ingest_target=content["ingest_target"],
            postgres_url=content["postgres_url"],
            redis_url=content["redis_url"],
            probes=content["probes"],
            admin_email=content["admin"]["email"],
            admin_password=content["admin"]["password"],
        )


def delete_endpoints_file(data_dir: Path) -> None:
    """Delete the endpoints file, so that it never describes a stack that no longer runs."""
    (data_dir / _FILE_NAME).unlink(missing_ok=True)


def grpc_target(addresses: Sequence[str]) -> str:
    """Return the gRPC target for one address or several (gRPC name resolution: the `ipv4:` scheme takes a list)."""
    return addresses[0] if len(addresses) == 1 else f"ipv4:{','.join(addresses)}"
