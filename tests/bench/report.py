"""Rows of the report, as a table and as JSON."""

import json
import operator
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

_COMPARE = {"<=": operator.le, ">=": operator.ge}


@dataclass(frozen=True)
class Row:
    """A figure, its floor from the same run and the goal for their ratio; without a floor, for the figure."""

    operation: str
    unit: str
    value: float
    floor: float | None
    floor_name: str
    ratio: float | None
    comparison: str
    goal: float

    @property
    def is_met(self) -> bool:
        return bool(_COMPARE[self.comparison](self.value if self.ratio is None else self.ratio, self.goal))


def print_table(rows: Sequence[Row], console: Console) -> None:
    """Print the rows as a table."""
    table = Table("operation", "median", "floor", "ratio", "goal", "", box=None, pad_edge=False)
    for row in rows:
        table.add_row(
            row.operation,
            f"{_number(row.value)} {row.unit}",
            "" if row.floor is None else f"{_number(row.floor)} ({row.floor_name})",
            "" if row.ratio is None else f"{row.ratio:.2f}x",
            f"{row.comparison} {row.goal:g}{'' if row.ratio is None else 'x'}",
            "" if row.is_met else "[bold]not met",
        )
    console.print(table)


def write_json(rows: Sequence[Row], file: Path, **details: object) -> None:
    """Write the rows, and further details, as JSON."""
    records = [{**asdict(row), "is_met": row.is_met} for row in rows]
    file.write_text(json.dumps({"rows": records, **details}, indent=2) + "\n", encoding="utf-8")


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"
