"""State of this process, for health checks and operators."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from prometheus_client import Gauge

from chassis.kernel.clock import utc_now
from chassis.metrics import LOOP_INTERVAL, LOOP_SUCCEEDED
from chassis.probes.dependency import Dependency
from chassis.version import VERSION


class Phase(StrEnum):
    """Phase in the life of a process. It takes work only while it is READY."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"


class ProcessStatus:
    """Phase of this process, its dependencies and its background loops.

    A process that is ready stays ready until it stops: a dependency that is down would otherwise take all replicas out
    at once, also for the calls that do not need it.
    """

    def __init__(self, service: str, dependencies: Iterable[Dependency] = ()) -> None:
        self._service = service
        self._dependencies = tuple(dependencies)
        self.phase = Phase.STARTING
        self._since = utc_now()
        self.details: dict[str, Any] = {}
        """Further facts for operators, such as the revision of the schema."""

    @property
    def is_ready(self) -> bool:
        return self.phase is Phase.READY

    @property
    def is_draining(self) -> bool:
        return self.phase is Phase.DRAINING

    def set_ready(self) -> None:
        """Record that the process takes work."""
        self._change(Phase.READY)

    def begin_drain(self) -> None:
        """Record that the process was told to stop. Load balancers send it no further work."""
        self._change(Phase.DRAINING)

    def _change(self, phase: Phase) -> None:
        self.phase, self._since = phase, utc_now()

    def to_json(self) -> Mapping[str, Any]:
        """Return the body of GET /statusz. It holds no error texts, because those can name hosts and users."""
        return {
            "service": self._service,
            "version": VERSION,
            "phase": self.phase,
            "since": self._since.isoformat(),
            **self.details,
            "dependencies": [
                {"name": each.name, "state": each.state, "since": each.since.isoformat(), "error": each.error}
                for each in self._dependencies
            ],
            "background_loops": list(_loops()),
        }


def _loops() -> Iterator[Mapping[str, Any]]:
    intervals = _values(LOOP_INTERVAL)
    for name, timestamp in sorted(_values(LOOP_SUCCEEDED).items()):
        succeeded = datetime.fromtimestamp(timestamp, UTC).isoformat()
        yield {"name": name, "interval_seconds": intervals.get(name), "last_success": succeeded}


def _values(gauge: Gauge) -> Mapping[str, float]:
    return {sample.labels["loop"]: sample.value for metric in gauge.collect() for sample in metric.samples}
