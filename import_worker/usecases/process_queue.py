"""Process waiting imports, one lease after another."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog
from prometheus_client import Counter, Gauge

from import_worker.domain.errors import ConnectionLost, RequestRejected
from import_worker.domain.lease import Lease
from import_worker.usecases.ports import IngestClient
from import_worker.usecases.process_lease import Outcome

LEASES = Counter("import_worker_leases", "Leases that this worker has processed, by outcome", ["outcome"])
BUSY = Gauge("import_worker_busy", "1 while the worker processes an import", multiprocess_mode="mostrecent")

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
        BUSY.set(0)  # a child that was killed has left 1
        while not self.is_stopping():
            try:
                lease = await self.client.claim()
            except (ConnectionLost, RequestRejected) as error:
                log.warning("claim failed", error=error.message)
                return
            if lease is None:
                return
            with structlog.contextvars.bound_contextvars(**_log_context(lease)):
                log.info("claimed", offset=lease.checkpoint.offset, size=lease.size)
                BUSY.set(1)
                try:
                    outcome = await self.process_lease(lease)
                finally:
                    BUSY.set(0)
                LEASES.labels(outcome.name.lower()).inc()
            if outcome is Outcome.ABANDONED:
                return


def _log_context(lease: Lease) -> dict[str, str | int]:
    """Return the fields of all log lines about a lease. The request id is the upload's, as in all other services."""
    request_id = {"request_id": lease.request_id} if lease.request_id else {}
    return {"import_id": lease.import_id, "fence": lease.fence, **request_id}
