"""Report of the goals for fairness."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import exp, log
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.bench.fair.victim import CALLS
from tests.bench.report import Row, write_json

GOAL = 3.0
MAX_IDLE_SPREAD = 1.3
"""With a larger quotient of the two idle measurements, the machine is too busy to tell."""
IDLE_BEFORE = "idle, before"
IDLE_AFTER = "idle, after"
TINY_IMPORT = "import of ten rows"


@dataclass(frozen=True)
class Measurement:
    """Calls of the other caller during one load, or of an idle system."""

    seconds: Mapping[str, Sequence[float]]
    """Seconds of each call, by name."""
    failures: Mapping[str, str]
    lag_seconds: float
    """Maximum delay of a call in the other caller itself."""
    cores: Mapping[str, float]
    """CPU seconds a second, by process."""
    received: Mapping[str, float]
    """Responses by status, bytes and rows that the loading caller received in a second."""

    def to_json(self) -> Mapping[str, object]:
        return {
            "ms": {
                name: {f"p{percent}": milliseconds(seconds, percent) for percent in (50, 99)}
                for name, seconds in self.seconds.items()
            },
            "calls": {name: len(seconds) for name, seconds in self.seconds.items()},
            "failures": dict(self.failures),
            "lag_ms": self.lag_seconds * 1000,
            "cores": dict(self.cores),
            "received_a_second": dict(self.received),
        }


def milliseconds(seconds: Sequence[float], percent: int) -> float:
    """Return a percentile."""
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] * 1000


def idle_spread(found: Mapping[str, Measurement]) -> float:
    """Return the quotient of the two idle measurements: the geometric mean of the percentiles of all calls."""
    before, after = (
        statistics.fmean(
            log(milliseconds(found[idle].seconds[call], percent)) for call in CALLS for percent in (50, 99)
        )
        for idle in (IDLE_BEFORE, IDLE_AFTER)
    )
    return exp(abs(before - after))


def goal_rows(found: Mapping[str, Measurement]) -> Iterator[Row]:
    """Yield the 99th percentile of each call during each load, compared with both idle measurements together."""
    for load, measurement in found.items():
        if load in {IDLE_BEFORE, IDLE_AFTER}:
            continue
        for call, seconds in measurement.seconds.items():
            idle = milliseconds([*found[IDLE_BEFORE].seconds[call], *found[IDLE_AFTER].seconds[call]], 99)
            value = milliseconds(seconds, 99)
            yield Row(f"{load}: {call}", "ms", value, idle, "idle", value / idle, "<=", GOAL)


def print_report(found: Mapping[str, Measurement], console: Console) -> None:
    """Print the calls of the other caller, and what each process and the loading caller did meanwhile."""
    spread = idle_spread(found)
    is_quiet = spread <= MAX_IDLE_SPREAD
    verdicts = {row.operation: row for row in goal_rows(found)}
    table = Table("load", "call of the other caller", "p50", "p99", "of idle", "goal", "", box=None, pad_edge=False)
    for load, measurement in found.items():
        for call, seconds in measurement.seconds.items():
            row = verdicts.get(f"{load}: {call}")
            figures = (f"{milliseconds(seconds, percent):.2f} ms" for percent in (50, 99))
            verdict = "[bold]not met" if row and is_quiet and not row.is_met else ""
            table.add_row(load, call, *figures, *((f"{row.ratio:.2f}x", f"<= {GOAL:g}x", verdict) if row else ()))
    console.print(table)
    for load, measurement in found.items():
        console.print(f"{load}: {describe(measurement)}", highlight=False)
    if not is_quiet:
        console.print(f"[bold]The machine is too busy to tell: its idle figures differ by {spread - 1:.0%}.")


def describe(measurement: Measurement) -> str:
    """Return the CPU of each process, and what the loading caller received."""
    cores = ", ".join(f"{name} {share:.0%}" for name, share in measurement.cores.items() if share >= 0.005)
    received = ", ".join(f"{count:,.1f} {name}" for name, count in measurement.received.items())
    failures = f"; FAILED: {dict(measurement.failures)}" if measurement.failures else ""
    lag = f"calls at most {measurement.lag_seconds * 1000:.0f} ms late"
    return f"CPU {cores}; {lag}{f'; received a second: {received}' if received else ''}{failures}"


def write_report(found: Mapping[str, Measurement], file: Path) -> None:
    """Write all figures as JSON, and the rows with their verdicts if the machine was quiet enough to tell."""
    spread = idle_spread(found)
    is_quiet = spread <= MAX_IDLE_SPREAD
    write_json(
        list(goal_rows(found)) if is_quiet else [],
        file,
        is_quiet=is_quiet,
        idle_spread=spread,
        loads={load: measurement.to_json() for load, measurement in found.items()},
    )
