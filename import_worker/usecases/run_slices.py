"""The worker's whole job: whatever waits, one slice after the other."""

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from import_worker.domain.checkpoints import Lease
from import_worker.domain.errors import ConnectionCut, Refused
from import_worker.usecases.import_slice import Outcome
from import_worker.usecases.ports import Ingest, Stopping

log = structlog.get_logger("run_slices")


@dataclass(frozen=True, slots=True)
class RunSlices:
    """Claims and works until nothing waits or the process is asked to stop.

    Never raises for what a later wake-up mends: the dispatcher sends one for as long as there is work.
    """

    ingest: Ingest
    import_slice: Callable[[Lease], Outcome]
    stopping: Stopping

    def __call__(self) -> None:
        while not self.stopping():
            try:
                lease = self.ingest.claim()
            except (ConnectionCut, Refused) as error:
                log.warning("nothing claimed", error=error.message)
                return
            if lease is None:
                return
            with structlog.contextvars.bound_contextvars(import_id=lease.import_id, fence=lease.fence):
                log.info("claimed", offset=lease.checkpoint.offset, size=lease.size)
                outcome = self.import_slice(lease)
            if outcome is Outcome.DROPPED:
                return
