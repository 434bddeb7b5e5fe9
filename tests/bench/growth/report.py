"""The table of all queries, and its goals."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.bench.growth.cases import LARGE, SMALL, Case
from tests.bench.growth.measurement import Measurement

GOALS = {SMALL: 5.0, LARGE: 20.0}
"""Maximum time in default lists of the small owner, by the owner of the tasks."""
MAX_SPREAD = 0.3
"""Maximum difference between the repetitions of the default list. Above it, the machine is too busy for a verdict."""


@dataclass(frozen=True)
class Floor:
    """The default list of a small owner, measured at the beginning of a run and after each part."""

    repetitions: Sequence[Measurement]

    @property
    def ms(self) -> float:
        return min(each.median_ms for each in self.repetitions)

    @property
    def spread(self) -> float:
        """Difference between the slowest and the fastest repetition, as a part of the fastest."""
        return max(each.median_ms for each in self.repetitions) / self.ms - 1

    @property
    def is_steady(self) -> bool:
        return self.spread <= MAX_SPREAD


@dataclass
class Results:
    """Measurements of a run."""

    floor: Floor
    measured: list[tuple[Case, Measurement]] = field(default_factory=list)

    def ratio(self, measurement: Measurement) -> float:
        return measurement.median_ms / self.floor.ms

    def is_met(self, case: Case, measurement: Measurement) -> bool:
        """Return whether the query, or its refusal, takes at most the time of its goal."""
        is_refused_clearly = measurement.refusal in {"", "QUERY_TOO_EXPENSIVE"}
        return is_refused_clearly and self.ratio(measurement) <= GOALS[case.owner]

    def misses(self) -> list[tuple[Case, Measurement]]:
        """Return what is over its goal, the slowest first."""
        missed = [each for each in self.measured if not self.is_met(*each)]
        return sorted(missed, key=lambda each: -self.ratio(each[1]))

    def verdict(self, rows: Iterable[tuple[Case, Measurement]]) -> str:
        """Return the verdict of a row, for its small and its large owner together."""
        if not self.floor.is_steady:
            return "too busy to tell"
        return "met" if all(self.is_met(*each) for each in rows) else "not met"

    def to_json(self) -> list[Mapping[str, object]]:
        return [
            {
                "query": case.query,
                "matches": case.matches,
                "caller": case.caller,
                "owner": case.owner,
                "median_ms": measurement.median_ms,
                "p95_ms": measurement.p95_ms,
                "calls": len(measurement.durations),
                "result": measurement.result,
                "ratio": self.ratio(measurement),
                "goal": GOALS[case.owner],
                "verdict": self.verdict([(case, measurement)]),
            }
            for case, measurement in self.measured
        ]


def print_results(results: Results, console: Console) -> None:
    """Print a row for each query and caller, with the small and the large owner side by side."""
    rows: dict[tuple[str, str, str], dict[str, tuple[Case, Measurement]]] = {}
    for case, measurement in results.measured:
        rows.setdefault((case.caller, case.query, case.matches), {})[case.owner] = (case, measurement)
    table = Table("caller", "query", "matches", box=None, pad_edge=False)
    for owner, goal in GOALS.items():
        table.add_column(f"{owner} owner, ms: median / p95", justify="right")
        table.add_column(f"<= {goal:g}x", justify="right")
        table.add_column("items")
    table.add_column("")
    for key, by_owner in rows.items():
        cells = []
        for owner in GOALS:
            cells += _cells(results, by_owner[owner][1] if owner in by_owner else None)
        table.add_row(*key, *cells, results.verdict(by_owner.values()))
    console.print(table)
    console.print(summary(results))


def _cells(results: Results, measurement: Measurement | None) -> list[str]:
    if measurement is None:
        return ["", "", ""]
    times = f"{measurement.median_ms:,.1f} / {measurement.p95_ms:,.1f}"
    return [times, f"{results.ratio(measurement):.1f}x", measurement.result]


def summary(results: Results) -> str:
    """Return one sentence about the run. Without a steady floor it is no verdict."""
    floor = f"The default list of a small owner took {results.floor.ms:.1f} ms"
    if not results.floor.is_steady:
        return (
            f"No verdict: the machine is too busy. {floor} at best, and {results.floor.spread:.0%} more at another"
            f" time of this run; the limit is {MAX_SPREAD:.0%}."
        )
    missed = len(results.misses())
    refused = sum(bool(found.refusal) for case, found in results.measured if results.is_met(case, found))
    return (
        f"{floor} (spread {results.floor.spread:.0%}). {len(results.measured) - missed} met, {refused} of them by a"
        f" refusal; {missed} not met."
    )


def write_json(file: Path, **content: object) -> None:
    file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
