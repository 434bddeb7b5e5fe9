"""Metrics of imports. The labels have few values: outcomes, states, and the codes of our own errors.

Use cases record them after the commit, because a transaction that rolls back has done nothing.
"""

from collections import Counter as Tally
from collections.abc import Iterable, Sequence

from prometheus_client import Counter, Gauge, Histogram

from task_service.imports.domain.imports import (
    FILE_CHANGED,
    NO_PROGRESS,
    PARSE_FAILURES,
    Counts,
    Failure,
    Lease,
    State,
    WaitReason,
)
from task_service.imports.domain.queue_depth import QueueDepth, QueueState
from task_service.imports.domain.rows.failed_rows import FailedRow

ROWS = Counter("import_rows", "Rows of committed batches, those of dry runs too, by outcome", ["outcome"])
ROW_ERRORS = Counter("import_row_errors", "Errors of rejected rows, by code", ["code"])
BATCH_SECONDS = Histogram(
    "import_batch_duration_seconds",
    "Seconds from the begin to the commit of a batch",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
QUEUE_WAIT_SECONDS = Histogram(
    "import_queue_wait_seconds",
    "Seconds from the time at which an import was queued, or due again, to its claim",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600),
)
LEASE_TAKEOVERS = Counter("import_lease_takeovers", "Claims of imports whose worker let the lease expire")
POSTPONED = Counter("imports_postponed", "Imports that were queued again to wait for a dependency", ["waits_for"])
FINISHED = Counter("imports_finished", "Imports that ended, by state and code of the failure", ["state", "code"])
QUEUE_DEPTH = Gauge(
    "imports_in_state",
    "Unfinished imports by state. Every replica reports all of them: use max()",
    ["state"],
)
QUEUE_OLDEST = Gauge(
    "imports_oldest_age_seconds",
    "Age of the oldest unfinished import by state; 0 without one. Every replica reports it: use max()",
    ["state"],
)

# A counter must exist before it rises for the first time. Otherwise Prometheus sees no increase, and no alert fires.
for _reason in WaitReason:
    POSTPONED.labels(_reason)
for _code in (NO_PROGRESS.code, FILE_CHANGED.code, *PARSE_FAILURES):
    FINISHED.labels(State.FAILED, _code)


def record_batch(counts: Iterable[Counts], failed: Sequence[FailedRow], seconds: float) -> None:
    """Count a committed batch. `counts` are added up."""
    BATCH_SECONDS.observe(seconds)
    for outcome, rows in zip(Counts._fields, map(sum, zip(*counts, strict=True)), strict=True):
        if rows:
            ROWS.labels(outcome).inc(rows)
    for code, errors in Tally(error.code for row in failed for error in row.errors).items():
        ROW_ERRORS.labels(code).inc(errors)


def record_claim(lease: Lease) -> None:
    """Count a committed claim."""
    if lease.waited_seconds is None:
        LEASE_TAKEOVERS.inc()
    else:
        QUEUE_WAIT_SECONDS.observe(lease.waited_seconds)


def record_postponement(waits_for: WaitReason) -> None:
    """Count a committed postponement."""
    POSTPONED.labels(waits_for).inc()


def record_end(state: State, failure: Failure | None = None) -> None:
    """Count an import whose final state is committed."""
    FINISHED.labels(state, failure.code if failure else "").inc()


def record_queue(depths: Iterable[QueueDepth]) -> None:
    """Set the gauges of the queue. A state without imports is 0."""
    by_state = {depth.state: depth for depth in depths}
    for state in QueueState:
        depth = by_state.get(state, QueueDepth(state, 0, 0.0))
        QUEUE_DEPTH.labels(state).set(depth.imports)
        QUEUE_OLDEST.labels(state).set(depth.oldest_age_seconds)
