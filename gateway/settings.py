"""What the gateway can be told from outside: GATEWAY_LISTEN and so on."""

from typing import Annotated

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from chassis.settings import ListenAddress
from chassis.logs import LogLevel
from chassis.tls.settings import Target, TlsSettings

Seconds = Annotated[float, Field(gt=0)]
Bytes = Annotated[int, Field(gt=0)]


class GatewaySettings(TlsSettings):
    """The gateway's environment. Times are in seconds, sizes in bytes."""

    model_config = SettingsConfigDict(env_prefix="GATEWAY_")

    listen: ListenAddress
    auth_target: Target
    tasks_target: Target
    log_level: LogLevel = "info"
    metrics_listen: ListenAddress | None = None

    # Calls without a token from one address, counted in this process or, with redis://..., by all gateways together.
    public_calls_per_minute: Annotated[int, Field(gt=0)] = 120
    rate_limit_storage_url: SecretStr = SecretStr("memory://")

    max_body_bytes: Bytes = 1024 * 1024
    max_upload_bytes: Bytes = 1024 * 1024 * 1024
    call_timeout_seconds: Seconds = 15
    # How long a client may take over its header lines, over a JSON body, and between two pieces of an upload.
    header_timeout_seconds: Seconds = 10
    body_timeout_seconds: Seconds = 30
    upload_idle_timeout_seconds: Seconds = 30
    # From the last byte of an upload to the service's answer: it makes the file durable in that time.
    upload_response_timeout_seconds: Seconds = 120
    keep_alive_seconds: Seconds = 15
    drain_seconds: Seconds = 10
