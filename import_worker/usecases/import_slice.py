"""One lease's worth of work on one import."""

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum

import structlog

from import_worker.domain.batches import Batch, Ending
from import_worker.domain.checkpoints import Checkpoint, Lease, Progress
from import_worker.domain.errors import ConnectionCut, LeaseLost, Refused, UnreadableFile
from import_worker.domain.record_reader import BatchLimits, RecordReader
from import_worker.usecases.ports import Ingest, IngestStream, Stopping

log = structlog.get_logger("import_slice")


class Outcome(Enum):
    """How the work on a lease ended."""

    FINISHED = "finished"
    """The server has settled the lease: the file is done, can't be read on, or waits for another turn."""
    LOST = "lost"
    """Somebody else holds the lease."""
    DROPPED = "dropped"
    """The lease is left to expire; the import is claimed again then."""


@dataclass(frozen=True, slots=True)
class SlicePolicy:
    """How a slice is worked.

    seconds: how long one import may keep a worker while others wait.
    window: how many batches may be on their way without an answer.
    tries: how often in a row a cut stream is opened again without the checkpoint having moved.
    first_delay, longest_delay: seconds before the next try; doubled each time, and jittered so that the workers of a
    restarted server don't all come at once.
    """

    seconds: float = 2.0
    window: int = 4
    tries: int = 6
    first_delay: float = 0.2
    longest_delay: float = 2.0

    def delay(self, failures: int) -> float:
        """Seconds to wait after so many failures in a row."""
        longest = min(self.longest_delay, self.first_delay * 2.0 ** (failures - 1))
        return random.uniform(longest / 2, longest)  # noqa: S311 - spreads load, guards nothing


@dataclass(frozen=True, slots=True)
class ImportSlice:
    """Reads an import's file from the server's checkpoint and streams its rows until the lease is settled."""

    ingest: Ingest
    stopping: Stopping
    batches: BatchLimits
    policy: SlicePolicy
    monotonic: Callable[[], float]
    sleep: Callable[[float], None]

    def __call__(self, lease: Lease) -> Outcome:
        began = self.monotonic()
        reached = lease.checkpoint
        failures = 0
        while True:
            attempt = _Attempt(
                self.ingest, lease, reached, batches=self.batches, window=self.policy.window, over=self._over(began)
            )
            try:
                ending = attempt.run()
            except LeaseLost:
                log.info("lease lost")
                return Outcome.LOST
            except Refused as error:
                log.error("refused", error=error.message)  # noqa: TRY400 - the status says it all
                return Outcome.DROPPED
            except ConnectionCut as error:
                failures = failures + 1 if attempt.reached == reached else 1
                reached = attempt.reached
                if failures > self.policy.tries or self.stopping():
                    log.warning("dropped", error=error.message)
                    return Outcome.DROPPED
                log.info("stream cut", error=error.message, failures=failures)
                self.sleep(self.policy.delay(failures))
            else:
                _log_end(ending, attempt.reached)
                return Outcome.FINISHED

    def _over(self, began: float) -> Callable[[bool], bool]:
        def over(others_wait: bool) -> bool:  # noqa: FBT001 - a predicate of one answer
            return self.stopping() or (others_wait and self.monotonic() - began >= self.policy.seconds)

        return over


class _Attempt:
    """One stream, from open to the answer to its finish."""

    def __init__(
        self,
        ingest: Ingest,
        lease: Lease,
        reached: Checkpoint,
        *,
        batches: BatchLimits,
        window: int,
        over: Callable[[bool], bool],
    ) -> None:
        self._ingest = ingest
        self._lease = lease
        self._batches = batches
        self._window = window
        self._over = over
        self.reached = reached
        """The last checkpoint that the server named."""

    def run(self) -> Ending | UnreadableFile | None:
        """Return why the stream was finished; None when the server ended it of its own accord."""
        with self._ingest.stream(self._lease) as stream:
            first = self._answer(stream)
            if first.finished:
                return None
            with self._ingest.read(self._lease, first.checkpoint.offset) as chunks:
                reader = RecordReader(
                    chunks,
                    begin=first.checkpoint,
                    dialect=self._lease.dialect,
                    size=self._lease.size,
                    batches=self._batches,
                    limits=self._lease.limits,
                )
                ending = self._send(stream, reader)
            if ending is not None:
                stream.finish(ending)
                while not self._answer(stream).finished:
                    pass
            return ending

    def _send(self, stream: IngestStream, batches: Iterable[Batch]) -> Ending | UnreadableFile | None:
        """Send batches while the server is still writing those before, never more than the window ahead of it."""
        unanswered = 0
        others_wait = False
        try:
            for batch in batches:
                if self._over(others_wait):
                    return Ending.GIVE_BACK
                stream.send(batch)
                unanswered += 1
                if unanswered == self._window:
                    answer = self._answer(stream)
                    unanswered -= 1
                    others_wait = answer.others_wait
                    if answer.finished:
                        return None
        except UnreadableFile as failure:
            return failure
        return Ending.END_OF_FILE

    def _answer(self, stream: IngestStream) -> Progress:
        answer = stream.answer()
        self.reached = answer.checkpoint
        return answer


def _log_end(ending: Ending | UnreadableFile | None, reached: Checkpoint) -> None:
    if isinstance(ending, UnreadableFile):
        log.info("file can't be read on", reason=ending.reason, line=ending.line, records=reached.records)
    else:
        log.info("slice ended", ending=ending.value if ending else "by the server", records=reached.records)
