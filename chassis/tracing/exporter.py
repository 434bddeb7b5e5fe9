"""Export of spans to a collector that may be unreachable."""

import logging
from collections.abc import Sequence

import structlog
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

MAX_REASON_CHARACTERS = 300

log = structlog.get_logger("tracing")


class QuietExporter(SpanExporter):
    """Exporter that logs the first of several failures in a row, and the recovery.

    OpenTelemetry logs every attempt to send every batch. Its log lines end here; the first one is the reason.
    """

    def __init__(self, exporter: SpanExporter, *, address: str, loggers: Sequence[str]) -> None:
        self._exporter = exporter
        self._address = address
        self._is_failing = False
        for name in loggers:
            logging.getLogger(name).addFilter(self._take_log_record)

    def _take_log_record(self, record: logging.LogRecord) -> bool:
        if not self._is_failing:
            self._is_failing = True
            log.warning(
                "can't export traces", collector=self._address, reason=record.getMessage()[:MAX_REASON_CHARACTERS]
            )
        return False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send the spans. Spans that can't be sent are lost."""
        result = self._exporter.export(spans)
        if self._is_failing and result is SpanExportResult.SUCCESS:
            self._is_failing = False
            log.info("traces are exported again", collector=self._address)
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)
