"""Settings from the environment: GATEWAY_LISTEN and the others."""

from typing import Annotated

from pydantic import AfterValidator, Field, NonNegativeInt, PositiveFloat, PositiveInt, SecretStr
from pydantic_settings import SettingsConfigDict

from chassis.service_settings import ServiceSettings
from chassis.settings import ListenAddress, Networks, check_redis_url
from chassis.tls.settings import Target
from gateway.cors_origins import CorsOrigins


def _check_rate_limit_storage(url: SecretStr) -> SecretStr:
    if url.get_secret_value() != "memory://":
        check_redis_url(url.get_secret_value())
    return url


RateLimitStorageUrl = Annotated[SecretStr, AfterValidator(_check_rate_limit_storage)]


class GatewaySettings(ServiceSettings):
    """Settings of the gateway. Times are in seconds, sizes in bytes."""

    model_config = SettingsConfigDict(env_prefix="GATEWAY_")

    listen: ListenAddress
    listen_fd: int | None = Field(default=None, ge=3)
    """Listening socket that the process inherits, by file descriptor. `listen` is then only its name."""
    auth_target: Target
    tasks_target: Target

    public_calls_per_minute: PositiveInt = 120
    """Rate limit for calls that need no token, by client address."""
    rate_limit_storage_url: RateLimitStorageUrl = SecretStr("memory://")
    """Counters of the rate limit: memory:// for this process alone, redis://... for all gateways together."""

    max_body_bytes: PositiveInt = 1024 * 1024
    max_upload_bytes: PositiveInt = 1024 * 1024 * 1024
    call_timeout_seconds: PositiveFloat = 15
    header_timeout_seconds: PositiveFloat = 10
    """Timeout for a client's header lines."""
    body_timeout_seconds: PositiveFloat = 30
    """Timeout for a whole JSON body."""
    upload_idle_timeout_seconds: PositiveFloat = 30
    """Timeout between two chunks of an upload."""
    upload_response_timeout_seconds: PositiveFloat = 120
    """Timeout for the service's response after the last byte of an upload. The service stores the file in this time."""
    min_bytes_per_second: PositiveInt = 1024
    """Minimum rate of uploads and responses."""
    send_timeout_seconds: PositiveFloat = 30
    """Maximum time for which a client may read a response more slowly."""

    max_connections_per_address: PositiveInt = 256
    """Maximum number of open connections of one client address."""
    max_connections: PositiveInt = 800
    """Maximum number of open connections. Each needs a file of the process, whose usual limit is 1,024."""
    trusted_peers: Networks = ()
    """Networks of proxies, whose address stands for many clients. They have no limit by address."""

    max_concurrent_requests: PositiveInt = 100
    """Maximum number of requests on which services work at the same time. Streams have a limit of their own."""
    max_queued_requests: NonNegativeInt = 20
    """Maximum number of requests that wait for it. Further ones are shed."""
    queue_timeout_seconds: PositiveFloat = 0.05
    """Maximum time for which a request waits for it, so that a refusal comes within 0.1 s."""
    max_active_requests_per_caller: PositiveInt = 4
    """Maximum number of requests of one caller on which services work at the same time. Further ones wait in order."""
    max_concurrent_streams: PositiveInt = 400
    """Maximum number of watches, downloads and uploads."""

    trusted_proxies: Networks = ()
    """Proxies whose X-Forwarded-For names the client. They are trusted peers too.

    The rate limit then counts by the rightmost address that is not a trusted proxy's.
    """
    cors_origins: CorsOrigins = ()
    """Origins whose pages may call the API (CORS). Empty: none."""
    accept_traceparent: bool = False
    """True: a client's header traceparent names the trace of its request. False: a new trace is linked with it."""
    keep_alive_seconds: PositiveFloat = 15
    """Interval of the keep-alive messages on a stream without other messages."""
