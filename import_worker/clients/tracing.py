"""Spans of the messages of an ingest stream, in the trace of the import's upload."""

from collections import deque

from opentelemetry.trace import Span

from chassis.tracing.spans import Attributes, begin_span, set_failed
from import_worker.domain.batch import Batch
from import_worker.domain.lease import Lease


class MessageSpans:
    """Spans from the sending of each message to its acknowledgement. The server acknowledges in order."""

    def __init__(self, lease: Lease) -> None:
        self._attributes = describe_lease(lease)
        self._unacknowledged: deque[Span] = deque()

    def begin(self, name: str) -> None:
        """Begin the span of a message that is being sent."""
        self._unacknowledged.append(begin_span(name, self._attributes))

    def begin_batch(self, batch: Batch) -> None:
        """Begin the span of a batch."""
        records = {"taskmanager.batch.records": batch.end.records - batch.begin.records}
        self._unacknowledged.append(begin_span("send batch", {**self._attributes, **records}))

    def end_first(self) -> None:
        """End the span of the message that was acknowledged."""
        if self._unacknowledged:
            self._unacknowledged.popleft().end()

    def close(self) -> None:
        """End the spans of messages that nobody has acknowledged."""
        while self._unacknowledged:
            span = self._unacknowledged.popleft()
            set_failed(span, "not_acknowledged")
            span.end()


def describe_lease(lease: Lease) -> Attributes:
    """Return the attributes of each span of a lease."""
    return {"taskmanager.import.id": lease.import_id, "taskmanager.import.fence": lease.fence}
