"""Settings from the environment: GATEWAY_LISTEN and the others."""

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import SettingsConfigDict

from chassis.service_settings import ServiceSettings
from chassis.settings import ListenAddress, Networks, check_redis_url
from chassis.tls.settings import Target
from gateway.cors_origins import CorsOrigins

Seconds = Annotated[float, Field(gt=0)]
Bytes = Annotated[int, Field(gt=0)]


def _check_rate_limit_storage(url: SecretStr) -> SecretStr:
    if url.get_secret_value() != "memory://":
        check_redis_url(url.get_secret_value())
    return url


RateLimitStorageUrl = Annotated[SecretStr, AfterValidator(_check_rate_limit_storage)]


class GatewaySettings(ServiceSettings):
    """Settings of the gateway. Times are in seconds, sizes in bytes."""

    model_config = SettingsConfigDict(env_prefix="GATEWAY_")

    listen: ListenAddress
    # Listening socket that the process inherits, by file descriptor; `listen` is then only its name.
    listen_fd: Annotated[int, Field(ge=3)] | None = None
    auth_target: Target
    tasks_target: Target

    # Rate limit for calls that need no token, by client address. memory:// counts in this process only; with
    # redis://... all gateways count together.
    public_calls_per_minute: Annotated[int, Field(gt=0)] = 120
    rate_limit_storage_url: RateLimitStorageUrl = SecretStr("memory://")

    max_body_bytes: Bytes = 1024 * 1024
    max_upload_bytes: Bytes = 1024 * 1024 * 1024
    call_timeout_seconds: Seconds = 15
    # Timeouts for a client: for the header lines, for a whole JSON body, and between two chunks of an upload.
    header_timeout_seconds: Seconds = 10
    body_timeout_seconds: Seconds = 30
    upload_idle_timeout_seconds: Seconds = 30
    # Timeout for the service's response after the last byte of an upload. The service stores the file in this time.
    upload_response_timeout_seconds: Seconds = 120
    # Minimum rate of uploads and responses, and the maximum time for which a response may be read more slowly.
    min_bytes_per_second: Annotated[int, Field(gt=0)] = 1024
    send_timeout_seconds: Seconds = 30
    # Maximum number of open connections, of one client address and in all. Each needs a file of the process, whose
    # usual limit is 1,024. Trusted peers are proxies, whose address stands for many clients.
    max_connections_per_address: Annotated[int, Field(gt=0)] = 256
    max_connections: Annotated[int, Field(gt=0)] = 800
    trusted_peers: Networks = ()
    # Maximum number of requests on which services work at the same time, and of those that wait for it, each for at
    # most the timeout, so that a refusal comes within 0.1 s. Further ones are shed. Streams (watches, downloads,
    # uploads) have a limit of their own.
    max_concurrent_requests: Annotated[int, Field(gt=0)] = 100
    max_queued_requests: Annotated[int, Field(ge=0)] = 20
    queue_timeout_seconds: Seconds = 0.05
    # Maximum number of requests of one caller on which services work at the same time. Further ones wait in order.
    max_active_requests_per_caller: Annotated[int, Field(gt=0)] = 8
    max_concurrent_streams: Annotated[int, Field(gt=0)] = 400
    # Proxies whose X-Forwarded-For names the client: the rate limit then counts by the rightmost address that is not a
    # trusted proxy's. They are trusted peers too.
    trusted_proxies: Networks = ()
    # Origins whose pages may call the API (CORS). Empty: none.
    cors_origins: CorsOrigins = ()
    # True: a client's header traceparent names the trace of its request. False: the trace is new, and linked with it.
    accept_traceparent: bool = False
    # Interval of the keep-alive messages on a stream without other messages.
    keep_alive_seconds: Seconds = 15
