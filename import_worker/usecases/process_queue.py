"""Process waiting imports, one lease after another."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from import_worker.domain.errors import ConnectionLost, RequestRejected
from import_worker.domain.lease import Lease
from import_worker.usecases.ports import IngestClient
from import_worker.usecases.process_lease import Outcome

log = structlog.get_logger("process_queue")


@dataclass(frozen=True, slots=True)
class ProcessQueue:
    """Claim and process imports until none is waiting or the process must stop.

    An unavailable service raises no error: the dispatcher wakes a worker again for as long as imports wait.
    """

    client: IngestClient
    process_lease: Callable[[Lease], Awaitable[Outcome]]
    is_stopping: Callable[[], bool]

    async def __call__(self) -> None:
        while not self.is_stopping():
            try:
                lease = await self.client.claim()
            except (ConnectionLost, RequestRejected) as error:
                log.warning("claim failed", error=error.message)
                return
            if lease is None:
                return
            with structlog.contextvars.bound_contextvars(import_id=lease.import_id, fence=lease.fence):
                log.info("claimed", offset=lease.checkpoint.offset, size=lease.size)
                outcome = await self.process_lease(lease)
            if outcome is Outcome.ABANDONED:
                return
