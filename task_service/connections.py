"""Connections of the service: limits for each caller, so that no caller can take what all need."""

from dataclasses import dataclass
from functools import partial

from chassis.database.fair_pool import Connections, FairPool
from chassis.database.switches import Switches, WritableConnections
from chassis.kernel.fair_limit import FairLimiter
from chassis.rpc.request_context import caller_or_none

RESERVED_CONNECTIONS = 2
"""Connections that callers can't take. They are for background loops and for import workers."""
MAX_SCANS = 3
MAX_SCANS_PER_CALLER = 2
MIN_POOL_SIZE = RESERVED_CONNECTIONS + MAX_SCANS + 1

INTERNAL_SCOPES = frozenset({"imports:ingest"})
"""Scopes of our own services, which have no limits: their number is bounded by the number of processes."""


@dataclass(frozen=True, slots=True)
class CallerConnections:
    """Connections for the calls of one process: for reads, for reads that no index serves, and for writes."""

    reads: Connections
    scans: Connections
    writes: Connections


def share_connections(pool: Connections, *, size: int, switches: Switches) -> CallerConnections:
    """Return the shares of a pool. A caller gets half of the connections for callers. `scans` are a part of `reads`."""
    max_total = size - RESERVED_CONNECTIONS
    fair = partial(FairPool, caller_key=caller_key)
    everything = fair(pool, limiter=FairLimiter(max_total=max_total, max_per_key=max_total // 2))
    scans = FairLimiter(max_total=MAX_SCANS, max_per_key=MAX_SCANS_PER_CALLER)
    return CallerConnections(everything, fair(everything, limiter=scans), WritableConnections(everything, switches))


def caller_key() -> int | None:
    """Return the key by which a caller's calls are limited; None for our own services and background work.

    It is the number of the caller's id, because a UUID is hashed in Python, six times in each call.
    """
    caller = caller_or_none()
    return None if caller is None or caller.scopes & INTERNAL_SCOPES else caller.id.int
