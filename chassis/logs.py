"""JSON log lines on stderr, with the service, the time and, inside a request, its id and the id of the span."""

import asyncio
import json
import logging
import sys
from functools import lru_cache
from typing import Literal

import grpc
import structlog
from opentelemetry import trace
from structlog.typing import EventDict, Processor, WrappedLogger

LogLevel = Literal["debug", "info", "warning", "error"]

# Values under these names are never logged.
_SECRET_NAMES = ("password", "secret", "token", "credential", "authorization")
_MAX_TEXT_LENGTH = 300
_PUBLIC_NAMES = frozenset({"token_id"})

# Created once: json.dumps with options creates an encoder for each call.
_encode_json = json.JSONEncoder(default=str).encode


@lru_cache(maxsize=1000)  # a line has ten names, each in many lines
def _is_secret(name: str) -> bool:
    return name not in _PUBLIC_NAMES and any(part in name.lower() for part in _SECRET_NAMES)


def _redact(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    for name in event:
        if _is_secret(name):
            event[name] = "[redacted]"
    return event


def _add_span_ids(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    span = trace.get_current_span().get_span_context()
    if span.is_valid:
        event["trace_id"], event["span_id"] = trace.format_trace_id(span.trace_id), trace.format_span_id(span.span_id)
    return event


def _render_json(_: WrappedLogger, __: str, event: EventDict) -> str:
    return _encode_json(event)


def _strip_postgres_details(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Remove the DETAIL line of Postgres errors: it quotes whole rows, with emails and password hashes."""
    _remove_postgres_details(event.get("exception"))
    return event


def _remove_postgres_details(rendered: object) -> None:
    """Remove the DETAIL line from an exception as structlog renders it, from its causes and from grouped exceptions."""
    if isinstance(rendered, list):
        for exception in rendered:
            _remove_postgres_details(exception)
    elif isinstance(rendered, dict):
        if "exc_value" in rendered:
            rendered["exc_value"] = str(rendered["exc_value"]).partition("\nDETAIL:")[0]
        _remove_postgres_details(rendered.get("exceptions"))


def cause_of(error: BaseException) -> BaseException:
    """Return the error behind another one; the error itself for a timeout, behind which is only a cancellation."""
    cause = error.__cause__
    return error if cause is None or isinstance(cause, asyncio.CancelledError) else cause


def lines_of(error: BaseException) -> list[str]:
    """Return the lines of an error's text, those of a failed call without gRPC's block of seven lines."""
    text = str(error)
    if isinstance(error, grpc.aio.AioRpcError):
        text = f"{error.code().name}: {error.details()}"
    return [line.strip() for line in text.splitlines() if line.strip()]


def describe_error(error: BaseException) -> str:
    """Return the type of an error and the first line of its text, which no row and no password is part of."""
    line = next(iter(lines_of(error)), "")
    return f"{type(error).__name__}: {line[:_MAX_TEXT_LENGTH]}".removesuffix(": ")


def _is_relevant(record: logging.LogRecord) -> bool:
    """Return False for gRPC's error about a caller that hung up: the access log reports that call."""
    return not str(record.msg).startswith("ExecuteBatchError raised in core")


class _Stderr(structlog.WriteLogger):
    """Logger that writes lines directly to stderr: the standard library's logging costs 0.1 ms for each line."""

    def __init__(self, name: str = "") -> None:
        super().__init__(sys.stderr)
        self.name = name


def configure_logging(level: LogLevel, service: str) -> None:
    """Send the logs of this process and its libraries to stderr as JSON lines."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        _add_span_ids,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_service(service),
        _redact,
    ]
    # Local variables of frames are left out: they can hold passwords and tokens.
    traceback = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    render: list[Processor] = [
        structlog.processors.ExceptionRenderer(traceback),
        _strip_postgres_details,
        _render_json,
    ]
    structlog.configure(
        processors=[*shared, *render],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_Stderr,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render],
        )
    )
    handler.addFilter(_is_relevant)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.captureWarnings(True)


def _add_service(service: str) -> Processor:
    def add_service(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        event["service"] = service
        return event

    return add_service
