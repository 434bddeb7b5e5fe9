"""Settings that every service has."""

from pydantic import Field

from chassis.logs import LogLevel
from chassis.settings import ListenAddress
from chassis.tls.settings import TlsSettings


class ServiceSettings(TlsSettings):
    """Settings of a process that serves. Times are in seconds."""

    log_level: LogLevel = "info"
    metrics_listen: ListenAddress | None = Field(default=None, description="address of the health checks and /metrics")
    drain_seconds: float = Field(default=10, gt=0, description="time for open calls to finish at shutdown")
    drain_delay_seconds: float = Field(
        default=0, ge=0, description="time between SIGTERM and the end of serving, in which load balancers notice"
    )
