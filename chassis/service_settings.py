"""Settings that every service has."""

from pydantic import Field

from chassis.logs import LogLevel
from chassis.settings import ListenAddress
from chassis.tls.settings import TlsSettings


class ServiceSettings(TlsSettings):
    """Settings of a process that serves. Times are in seconds."""

    log_level: LogLevel = "info"
    metrics_listen: ListenAddress | None = Field(default=None, description="address of /metrics and the health checks")
    drain_seconds: float = Field(default=10, gt=0, description="time for open calls to finish at shutdown")
