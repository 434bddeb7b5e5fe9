"""Options of the local stack, as the command line sets them."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Options of one run of the stack. Port 0 means any free port."""

    data_dir: Path
    gateway_port: int = 0
    auth_port: int = 0
    tasks_port: int = 0
    postgres_port: int = 0
    redis_port: int = 0
    workers: int = 1
    """Number of import workers."""
    replicas: int = 1
    """Number of processes of auth_service and of task_service each."""
    ingest_processes: int = 0
    """Number of further processes of task_service that only import workers call."""
    gateways: int = 1
    """Number of gateway processes, which accept connections of one port."""
    postgres_url: str | None = field(default=None, repr=False)
    """Superuser URL of the operator's own Postgres, which replaces the embedded server."""
    redis_url: str | None = field(default=None, repr=False)
    """URL of the operator's own Redis, which replaces the embedded server."""
