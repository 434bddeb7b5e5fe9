"""Number and age of the unfinished imports."""

from enum import StrEnum
from typing import NamedTuple


class QueueState(StrEnum):
    """State of an unfinished import, as an operator sees it."""

    UPLOADING = "uploading"
    QUEUED = "queued"
    POSTPONED = "postponed"
    """Queued again after an outage, and not yet due."""
    RUNNING = "running"
    ABANDONED = "abandoned"
    """Its worker let the lease expire, and no other one has claimed it."""


class QueueDepth(NamedTuple):
    """Imports in one state. The age is counted from the time at which the import came into that state."""

    state: QueueState
    imports: int
    oldest_age_seconds: float
