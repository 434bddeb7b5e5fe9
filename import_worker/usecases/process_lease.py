"""Process one import for as long as its lease lasts."""

import random
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from enum import Enum

import structlog
from prometheus_client import Counter

from import_worker.domain.batch import FinishReason
from import_worker.domain.errors import ConnectionLost, LeaseLost, RequestRejected, UnreadableFile
from import_worker.domain.lease import Checkpoint, Lease, Progress
from import_worker.domain.record_parser import BatchLimits, RecordParser, parse_batches
from import_worker.usecases.ports import IngestClient, IngestStream

INTERRUPTIONS = Counter("import_worker_stream_interruptions", "Streams of batches that broke and were opened again")
SENT_ROWS = Counter("import_worker_sent_rows", "Rows that were sent to task_service; a repetition counts again")

log = structlog.get_logger("process_lease")


class Outcome(Enum):
    """Result of processing a lease."""

    SETTLED = "settled"
    """The server ended the lease: the import is complete, has failed, or is queued again."""
    LEASE_LOST = "lease lost"
    """Another worker holds the lease."""
    ABANDONED = "abandoned"
    """The lease expires, and the import is claimed again then."""


@dataclass(frozen=True, slots=True)
class ProcessingPolicy:
    """Limits on the processing of a lease.

    time_slice_seconds: maximum time for which one import may occupy a worker while others wait.
    max_unacknowledged_batches: window of batches that are sent and not yet acknowledged.
    max_retries: reconnects in a row without progress of the checkpoint.
    initial_backoff_seconds, max_backoff_seconds: pause before a reconnect. It doubles with each failure and is
    jittered, so that the workers of a restarted server do not reconnect at the same moment.
    """

    time_slice_seconds: float = 0.5
    max_unacknowledged_batches: int = 4
    max_retries: int = 6
    initial_backoff_seconds: float = 0.2
    max_backoff_seconds: float = 2.0

    def backoff_seconds(self, failures: int) -> float:
        """Return the pause after this many failures in a row."""
        max_pause = min(self.max_backoff_seconds, self.initial_backoff_seconds * 2.0 ** (failures - 1))
        return random.uniform(max_pause / 2, max_pause)  # noqa: S311 - spreads load, protects no secret


@dataclass(frozen=True, slots=True)
class ProcessLease:
    """Read the file from the server's checkpoint and stream its rows until the lease ends.

    A stream that is interrupted is opened again under the same fence.
    """

    client: IngestClient
    is_stopping: Callable[[], bool]
    batch_limits: BatchLimits
    policy: ProcessingPolicy
    monotonic: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]

    async def __call__(self, lease: Lease) -> Outcome:
        started = self.monotonic()
        checkpoint = lease.checkpoint
        failures = 0
        while True:
            attempt = _Attempt(self, lease, started=started, checkpoint=checkpoint)
            try:
                reason = await attempt.run()
            except LeaseLost:
                log.info("lease lost")
                return Outcome.LEASE_LOST
            except RequestRejected as error:
                log.error("request rejected", error=error.message)  # noqa: TRY400 - the status is the cause
                return Outcome.ABANDONED
            except ConnectionLost as error:
                failures = failures + 1 if attempt.checkpoint == checkpoint else 1
                checkpoint = attempt.checkpoint
                if failures > self.policy.max_retries or self.is_stopping():
                    log.warning("lease abandoned", error=error.message)
                    return Outcome.ABANDONED
                INTERRUPTIONS.inc()
                log.info("stream interrupted", error=error.message, failures=failures)
                await self.sleep(self.policy.backoff_seconds(failures))
            else:
                _log_finish(reason, attempt.checkpoint)
                return Outcome.SETTLED


class _Attempt:
    """One stream, from open to the acknowledgement of finish. `checkpoint` is the last one that the server reported."""

    def __init__(self, process_lease: ProcessLease, lease: Lease, *, started: float, checkpoint: Checkpoint) -> None:
        self._process_lease = process_lease
        self._lease = lease
        self._started = started
        self.checkpoint = checkpoint

    async def run(self) -> FinishReason | UnreadableFile | None:
        """Return the reason for which the stream was finished; None if the server ended the lease itself."""
        async with self._process_lease.client.open_stream(self._lease) as stream:
            progress = await self._receive(stream)
            if progress.is_finished:
                return None
            reason = await self._send_batches(stream)
            if reason is not None:
                await stream.finish(reason)
                while not (await self._receive(stream)).is_finished:
                    pass
            return reason

    async def _send_batches(self, stream: IngestStream) -> FinishReason | UnreadableFile | None:
        """Send batches while the server still writes earlier ones, up to `max_unacknowledged_batches` ahead of it."""
        unacknowledged = 0
        has_pending = False  # known after the first acknowledgement, so that no lease is released without progress
        async with (
            self._process_lease.client.read_upload(self._lease, self.checkpoint.offset) as chunks,
            aclosing(parse_batches(self._parser(), chunks)) as batches,
        ):
            try:
                async for batch in batches:
                    if self._must_release(has_pending=has_pending):
                        return FinishReason.LEASE_RELEASED
                    await stream.send(batch)
                    SENT_ROWS.inc(len(batch.lines))
                    unacknowledged += 1
                    if unacknowledged == self._process_lease.policy.max_unacknowledged_batches:
                        progress = await self._receive(stream)
                        unacknowledged -= 1
                        has_pending = progress.has_pending
                        if progress.is_finished:
                            return None
            except UnreadableFile as error:
                return error
        return FinishReason.END_OF_FILE

    def _parser(self) -> RecordParser:
        return RecordParser(
            begin=self.checkpoint,
            dialect=self._lease.dialect,
            size=self._lease.size,
            batch_limits=self._process_lease.batch_limits,
            record_limits=self._lease.limits,
        )

    def _must_release(self, *, has_pending: bool) -> bool:
        if self._process_lease.is_stopping():
            return True
        elapsed_seconds = self._process_lease.monotonic() - self._started
        return has_pending and elapsed_seconds >= self._process_lease.policy.time_slice_seconds

    async def _receive(self, stream: IngestStream) -> Progress:
        progress = await stream.receive()
        self.checkpoint = progress.checkpoint
        return progress


def _log_finish(reason: FinishReason | UnreadableFile | None, checkpoint: Checkpoint) -> None:
    if isinstance(reason, UnreadableFile):
        log.info("file is unreadable", reason=reason.reason, line=reason.line, records=checkpoint.records)
    else:
        log.info("lease ended", reason=reason.value if reason else "ended by the server", records=checkpoint.records)
