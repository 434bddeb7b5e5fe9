"""Tracing of this process: set up at its start, and flushed at its end."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from uuid import uuid4

import structlog
from opentelemetry import trace

from chassis.settings import load_settings
from chassis.tracing.settings import TracingSettings
from chassis.version import VERSION

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.sampling import Sampler

MAX_FLUSH_SECONDS = 2.0
"""Maximum time at the end of a process for the spans that are not sent yet."""

log = structlog.get_logger("tracing")


@contextmanager
def trace_process(name: str) -> Iterator[None]:
    """Trace this process while the context is open. Do nothing if no collector is set.

    Print every wrong setting and exit with status 2 if there is one.
    """
    settings = load_settings(TracingSettings)
    if settings.traces_url is None:
        yield
        return
    provider = _create_provider(settings, name, settings.traces_url)
    trace.set_tracer_provider(provider)
    try:
        yield
    finally:
        _flush(provider)


def _create_provider(settings: TracingSettings, name: str, url: str) -> "TracerProvider":
    # The SDK takes 0.3 s to import, which a process without tracing saves.
    from opentelemetry.exporter.otlp.proto.http import trace_exporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.util.re import parse_env_headers

    from chassis.tracing.exporter import QuietExporter

    headers = settings.exporter_otlp_headers
    exporter = QuietExporter(
        trace_exporter.OTLPSpanExporter(
            endpoint=url, headers=parse_env_headers(headers.get_secret_value(), liberal=True) if headers else None
        ),
        address=urlsplit(url)._replace(query="").geturl().rpartition("@")[2],
        # A full queue drops spans, and OpenTelemetry logs each time.
        loggers=[trace_exporter.__name__, "opentelemetry.sdk._shared_internal"],
    )
    provider = TracerProvider(_sampler(settings), _resource(settings.service_name or name), shutdown_on_exit=False)
    provider.add_span_processor(
        BatchSpanProcessor(
            exporter,
            max_queue_size=settings.bsp_max_queue_size,
            max_export_batch_size=settings.bsp_max_export_batch_size,
            schedule_delay_millis=settings.bsp_schedule_delay,
        )
    )
    return provider


def _resource(service_name: str) -> "Resource":
    """Return the description of this process. OTEL_RESOURCE_ATTRIBUTES may replace each part but the name."""
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource

    ours = Resource({"service.version": VERSION, "service.instance.id": str(uuid4())})
    return Resource.create({**ours.merge(OTELResourceDetector().detect()).attributes, "service.name": service_name})


def _sampler(settings: TracingSettings) -> "Sampler":
    from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased, TraceIdRatioBased

    by_name: dict[str, Sampler] = {
        "always_on": ALWAYS_ON,
        "always_off": ALWAYS_OFF,
        "traceidratio": TraceIdRatioBased(settings.traces_sampler_arg),
    }
    sampler = by_name[settings.traces_sampler.removeprefix("parentbased_")]
    return ParentBased(sampler) if settings.traces_sampler.startswith("parentbased_") else sampler


def _flush(provider: "TracerProvider") -> None:
    """Send the remaining spans. A collector that does not respond delays the end of the process no longer."""
    # The SDK has no timeout for the whole of it: it would wait for its retries, for up to 30 seconds.
    flushing = threading.Thread(target=provider.shutdown, name="flush-traces", daemon=True)
    flushing.start()
    flushing.join(MAX_FLUSH_SECONDS)
    if flushing.is_alive():
        log.warning("the last traces are lost: the collector does not respond")
