"""Settings of tracing: the standard variables of OpenTelemetry, which every service reads alike."""

from typing import Annotated, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from chassis.settings import Settings

TRACES_PATH = "/v1/traces"


def _check_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        is_valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_valid = False
    if not is_valid:
        message = "must be the URL of a collector for OTLP over HTTP, such as http://collector:4318"
        raise ValueError(message)
    return url


def _check_pairs(text: str) -> str:
    if not all("=" in pair for pair in text.split(",") if pair.strip()):
        message = "must be a list such as deployment.environment.name=production,service.namespace=tasks"
        raise ValueError(message)
    return text


CollectorUrl = Annotated[str, AfterValidator(_check_url)]
Sampler = Literal[
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
]


class TracingSettings(Settings):
    """Settings of tracing, which is off without an endpoint. The SDK itself reads further variables: see its manual."""

    model_config = SettingsConfigDict(env_prefix="OTEL_")
    is_prefix_shared: ClassVar[bool] = True

    sdk_disabled: bool = False
    traces_exporter: Literal["otlp", "none"] = "otlp"
    exporter_otlp_endpoint: CollectorUrl | None = None
    exporter_otlp_traces_endpoint: CollectorUrl | None = None
    exporter_otlp_protocol: Literal["http/protobuf"] = "http/protobuf"
    exporter_otlp_headers: SecretStr | None = None
    traces_sampler: Sampler = "parentbased_always_on"
    traces_sampler_arg: float = Field(default=1.0, ge=0, le=1)
    bsp_max_queue_size: int = Field(default=2048, gt=0)
    bsp_max_export_batch_size: int = Field(default=512, gt=0)
    bsp_schedule_delay: int = Field(default=5000, gt=0)
    """Pause between two exports in milliseconds, as OpenTelemetry defines it."""
    service_name: str | None = None
    resource_attributes: Annotated[str, AfterValidator(_check_pairs)] = ""

    @model_validator(mode="after")
    def _check_queue(self) -> Self:
        if self.bsp_max_export_batch_size > self.bsp_max_queue_size:
            message = "OTEL_BSP_MAX_EXPORT_BATCH_SIZE must not exceed OTEL_BSP_MAX_QUEUE_SIZE"
            raise ValueError(message)
        return self

    @property
    def traces_url(self) -> str | None:
        """Return the URL that traces are sent to; None if tracing is off."""
        if self.sdk_disabled or self.traces_exporter == "none":
            return None
        if self.exporter_otlp_traces_endpoint:
            return self.exporter_otlp_traces_endpoint
        return self.exporter_otlp_endpoint and self.exporter_otlp_endpoint.removesuffix("/") + TRACES_PATH
