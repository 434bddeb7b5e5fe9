"""The table of all queries, and its goals."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.bench.growth.cases import LARGE, SMALL, Case
from tests.bench.growth.measurement import Measurement

GOALS = {SMALL: 5.0, LARGE: 20.0}
"""Maximum time in default lists of the small owner, by the owner of the tasks."""
MAX_SPREAD = 0.3
"""Maximum difference between the repetitions of the default list. Above it, the machine is too busy for a verdict."""
BUSY = "too busy to tell"
_VERDICTS = ("met", "not met", BUSY)
"""Verdicts of a query; a row has the last one of its owners."""


@dataclass(frozen=True)
class Floor:
    """The default list of a small owner, measured before and after the queries that are compared with it."""

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


@dataclass(frozen=True)
class Result:
    """Measurement of a query, with the floor of its part."""

    case: Case
    measurement: Measurement
    floor: Floor

    @property
    def ratio(self) -> float:
        return self.measurement.median_ms / self.floor.ms

    @property
    def is_met(self) -> bool:
        """True if the query, or its refusal, takes at most the time of its goal."""
        is_refused_clearly = self.measurement.refusal in {"", "QUERY_TOO_EXPENSIVE"}
        return is_refused_clearly and self.ratio <= GOALS[self.case.owner]

    @property
    def verdict(self) -> str:
        if not self.floor.is_steady:
            return BUSY
        return "met" if self.is_met else "not met"

    def to_json(self) -> Mapping[str, object]:
        return {
            "query": self.case.query,
            "matches": self.case.matches,
            "caller": self.case.caller,
            "owner": self.case.owner,
            "median_ms": self.measurement.median_ms,
            "p95_ms": self.measurement.p95_ms,
            "calls": len(self.measurement.durations),
            "result": self.measurement.result,
            "ratio": self.ratio,
            "floor_ms": self.floor.ms,
            "floor_spread": self.floor.spread,
            "goal": GOALS[self.case.owner],
            "verdict": self.verdict,
        }


def misses(results: Iterable[Result]) -> list[Result]:
    """Return what is over its goal, the slowest first."""
    return sorted((result for result in results if not result.is_met), key=lambda result: -result.ratio)


def print_results(results: Sequence[Result], console: Console) -> None:
    """Print a row for each query and caller, with the small and the large owner side by side."""
    rows: dict[tuple[str, str, str], dict[str, Result]] = {}
    for result in results:
        case = result.case
        rows.setdefault((case.caller, case.query, case.matches), {})[case.owner] = result
    table = Table("caller", "query", "matches", box=None, pad_edge=False)
    for owner, goal in GOALS.items():
        table.add_column(f"{owner} owner, ms: median / p95", justify="right")
        table.add_column(f"<= {goal:g}x", justify="right")
        table.add_column("items")
    table.add_column("")
    for key, by_owner in rows.items():
        cells = [cell for owner in GOALS for cell in _cells(by_owner.get(owner))]
        table.add_row(*key, *cells, max((result.verdict for result in by_owner.values()), key=_VERDICTS.index))
    console.print(table)
    console.print(summary(results))


def _cells(result: Result | None) -> list[str]:
    if result is None:
        return ["", "", ""]
    times = f"{result.measurement.median_ms:,.1f} / {result.measurement.p95_ms:,.1f}"
    return [times, f"{result.ratio:.1f}x", result.measurement.result]


def summary(results: Sequence[Result]) -> str:
    """Return sentences about the run. They are no verdict about queries whose floor was not steady."""
    floors = [result.floor for result in results]
    fastest, slowest = min(floor.ms for floor in floors), max(floor.ms for floor in floors)
    verdicts = Counter(result.verdict for result in results)
    refused = sum(bool(result.measurement.refusal) for result in results if result.verdict == "met")
    text = (
        f"The default list of a small owner took {fastest:.1f} to {slowest:.1f} ms, depending on the part, and differed"
        f" by at most {max(floor.spread for floor in floors):.0%} within a part. {verdicts['met']} met, {refused} of"
        f" them by a refusal; {verdicts['not met']} not met."
    )
    if busy := verdicts[BUSY]:
        text += f" No verdict about {busy}: the machine was too busy; the limit within a part is {MAX_SPREAD:.0%}."
    return text


def write_json(file: Path, **content: object) -> None:
    file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
