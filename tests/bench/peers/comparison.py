"""Rates of two applications in alternating rounds, and the verdict about their ratio."""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.bench.peers.wrk import Load

MAX_SPREAD = 0.3
"""Of the rates of one application between rounds. Beyond it the machine is too busy to say anything."""


@dataclass(frozen=True)
class Comparison:
    """One operation of ours and of a peer, with one load of each in a round."""

    peer: str
    operation: str
    ours: Sequence[Load]
    theirs: Sequence[Load]
    our_bytes: int
    their_bytes: int
    goal: float | None

    @property
    def ratios(self) -> Sequence[float]:
        return [our.rate / their.rate for our, their in zip(self.ours, self.theirs, strict=True)]

    @property
    def ratio(self) -> float:
        """Median of the ratios of the rounds."""
        return statistics.median(self.ratios)

    @property
    def obstacles(self) -> Sequence[str]:
        """Reasons against a verdict."""
        reasons = [] if len(self.ours) > 1 else ["one round has no spread"]
        for name, loads in (("ours", self.ours), (self.peer, self.theirs)):
            if errors := sum(load.errors for load in loads):
                reasons.append(f"{errors} errors of {name}")
            if (spread := spread_of(loads)) > MAX_SPREAD:
                reasons.append(f"the rates of {name} spread over {spread:.0%}")
        return reasons

    @property
    def is_met(self) -> bool | None:
        """None: there is no goal, or no verdict is possible."""
        return None if self.goal is None or self.obstacles else self.ratio >= self.goal

    @property
    def verdict(self) -> str:
        if self.obstacles:
            return f"no verdict: {', '.join(self.obstacles)}"
        return {None: "", True: "met", False: "not met"}[self.is_met]

    def to_json(self) -> Mapping[str, object]:
        return {
            "peer": self.peer,
            "operation": self.operation,
            "our_rates": [load.rate for load in self.ours],
            "their_rates": [load.rate for load in self.theirs],
            "our_spread": spread_of(self.ours),
            "their_spread": spread_of(self.theirs),
            "our_response_bytes": self.our_bytes,
            "their_response_bytes": self.their_bytes,
            "ratios": list(self.ratios),
            "ratio": self.ratio,
            "goal": self.goal,
            "obstacles": list(self.obstacles),
            "is_met": self.is_met,
        }


def spread_of(loads: Sequence[Load]) -> float:
    """Return the difference of the highest and the lowest rate, as a part of their median."""
    rates = [load.rate for load in loads]
    return (max(rates) - min(rates)) / statistics.median(rates)


def print_comparisons(comparisons: Sequence[Comparison], console: Console) -> None:
    table = Table("operation", "ours", "peer", "ratio", "bytes", "spread", "goal", "", box=None, pad_edge=False)
    for each in comparisons:
        table.add_row(
            each.operation,
            f"{_median(each.ours):,.0f} a second",
            f"{_median(each.theirs):,.0f} ({each.peer})",
            f"{each.ratio:.2f}x",
            f"{each.our_bytes:,} / {each.their_bytes:,}",
            f"{spread_of(each.ours):.0%} / {spread_of(each.theirs):.0%}",
            "" if each.goal is None else f">= {each.goal:g}x",
            each.verdict,
        )
    console.print(table)


def write_json(comparisons: Sequence[Comparison], skipped: Mapping[str, str], file: Path) -> None:
    """Write the comparisons, and the reason for each peer that was skipped."""
    content = {"rows": [each.to_json() for each in comparisons], "skipped": dict(skipped), "max_spread": MAX_SPREAD}
    file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _median(loads: Sequence[Load]) -> float:
    return statistics.median(load.rate for load in loads)
