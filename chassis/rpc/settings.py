"""Settings of a service with a gRPC server."""

from pydantic import Field, PositiveFloat, PositiveInt

from chassis.limits.load_shed import DEFAULT_CAPACITY
from chassis.limits.pending_requests import REQUEST_TIMEOUT_SECONDS
from chassis.service_settings import ServiceSettings
from chassis.settings import ListenAddress


class GrpcServiceSettings(ServiceSettings):
    """Settings of a service with a gRPC server. The subclass sets the default of `listen`. Times are in seconds."""

    listen: ListenAddress
    internal_listen: ListenAddress | None = None
    """Address for gateways, workers and other services. With it, `listen` has no internal rpcs."""
    reflection: bool = False
    max_concurrent_calls: PositiveInt = DEFAULT_CAPACITY.max_concurrent_calls
    """Maximum number of concurrent calls. Further calls are rejected at once with RESOURCE_EXHAUSTED."""
    request_timeout_seconds: PositiveFloat = REQUEST_TIMEOUT_SECONDS
    """Time in which the message of a unary call must be complete, from its headers on."""
    start_timeout_seconds: PositiveFloat = 30
    """Time in which each server that the service can't start without must respond once."""
    token_issuer: str = Field(default="taskmanager", min_length=1)
    token_audience: str = Field(default="taskmanager", min_length=1)
