"""JSON log lines on stderr, with the service, the time and, inside a request, its id and the id of the span."""

import asyncio
import json
import logging
import sys
from datetime import UTC, datetime
from typing import Literal

import grpc
import structlog
from opentelemetry import trace
from structlog.typing import EventDict, Processor, WrappedLogger

LogLevel = Literal["debug", "info", "warning", "error"]

# Values under these names are never logged.
_SECRET_NAMES = ("password", "secret", "token", "credential", "authorization")
_MAX_TEXT_LENGTH = 300
_MAX_HARMLESS = 1000
_LEVELS = {"exception": "error", "warn": "warning"}
"""Levels of the methods of a logger that are not named like their level."""
_PUBLIC_NAMES = frozenset({"token_id"})

# Created once: json.dumps with options creates an encoder for each call.
_encode_json = json.JSONEncoder(default=str).encode


def _is_secret(name: str) -> bool:
    return name not in _PUBLIC_NAMES and any(part in name.lower() for part in _SECRET_NAMES)


class _AddFields:
    """Processor that adds what every line has, and hides secrets. One instead of seven, for speed."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._harmless: set[str] = set()
        """Names that are no secrets: the few names of all lines, because looking at each one takes time."""

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        record = event.get("_record")  # of a library that logs by the standard library's logging
        event["level"] = _LEVELS.get(method, method)
        event["logger"] = record.name if record else logger.name
        event["timestamp"] = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        event["service"] = self._service
        span = trace.get_current_span()
        if span is not trace.INVALID_SPAN:
            _add_ids(event, span.get_span_context())
        if not self._harmless.issuperset(event):
            self._redact(event)
        return event

    def _redact(self, event: EventDict) -> None:
        for name in event:
            if _is_secret(name):
                event[name] = "[redacted]"
            elif len(self._harmless) < _MAX_HARMLESS:
                self._harmless.add(name)


def _add_ids(event: EventDict, span: trace.SpanContext) -> None:
    if span.is_valid:
        event["trace_id"], event["span_id"] = trace.format_trace_id(span.trace_id), trace.format_span_id(span.span_id)


class _Render:
    """Processor that returns the line as JSON, with an exception as structured data."""

    def __init__(self) -> None:
        # Local variables of frames are left out: they can hold passwords and tokens.
        self._add_exception = structlog.processors.ExceptionRenderer(
            structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        )

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> str:
        if "exc_info" in event:
            event = self._add_exception(logger, method, event)
            _remove_postgres_details(event.get("exception"))
        return _encode_json(event)


def _remove_postgres_details(rendered: object) -> None:
    """Remove the DETAIL line of Postgres errors, which quotes whole rows with emails and password hashes.

    It is removed from an exception as structlog renders it, from its causes and from grouped exceptions.
    """
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
    add: list[Processor] = [structlog.contextvars.merge_contextvars, _AddFields(service)]
    render = _Render()
    structlog.configure(
        processors=[*add, render],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_Stderr,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=add,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        )
    )
    handler.addFilter(_is_relevant)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.captureWarnings(True)
