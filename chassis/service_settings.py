"""Settings that all services share."""

from pydantic import Field

from chassis.logs import LogLevel
from chassis.settings import ListenAddress
from chassis.tls.settings import TlsSettings


class ProcessSettings(TlsSettings):
    """Settings of every process of the system."""

    log_level: LogLevel = "info"
    metrics_listen: ListenAddress | None = None
    """Address of the health checks and /metrics."""


class ServiceSettings(ProcessSettings):
    """Settings of a process that serves. Times are in seconds."""

    drain_seconds: float = Field(default=10, gt=0)
    """Time for open calls to finish at shutdown."""
    drain_delay_seconds: float = Field(default=0, ge=0)
    """Time between SIGTERM and the end of serving, in which load balancers notice."""
