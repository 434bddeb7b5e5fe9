"""Conversion of one row, given as cells by column."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from task_service.history.domain.events import Actor
from task_service.imports.domain.columns.mapping import parse_mapping
from task_service.imports.domain.columns.matching import match_columns
from task_service.imports.domain.duplicates import OnDuplicate
from task_service.imports.domain.imports import Checkpoint, Defaults
from task_service.imports.domain.options.row_options import RowOptions
from task_service.imports.domain.rows.batch import Batch
from task_service.imports.domain.rows.conversion import ConvertedRows, convert_rows
from task_service.imports.domain.rows.ingest_context import IngestContext
from task_service.tasks.domain.task import Values

NOW = datetime(2026, 12, 31, 12, tzinfo=UTC)

ACTOR = Actor(UUID(int=3), "user", "request")
NO_DEFAULTS = Defaults()
USERS = {"ann": UUID(int=4), "ann@example.com": UUID(int=4), "Lee, Ann": UUID(int=5), "[x]": UUID(int=6)}


def convert_row(
    row: dict[str, str], mapping: str = "", *, update: bool = False, defaults: Defaults = NO_DEFAULTS, **options: Any
) -> ConvertedRows:
    """Convert a row of cells by column. `#2 Tag` is a second column with the name Tag."""
    row = {"Task": "x", **row}
    names = tuple(name.removeprefix("#2 ") for name in row)
    fields = match_columns(names, parse_mapping(mapping)).fields
    context = IngestContext(UUID(int=1), UUID(int=2), ACTOR, fields, columns=names, defaults=defaults)
    context = context._replace(
        row_options=RowOptions(**options), on_duplicate=OnDuplicate.UPDATE if update else OnDuplicate.FAIL
    )
    batch = Batch(Checkpoint(0, 2, 0), Checkpoint(1, 3, 1), [2], [*row.values()], {})
    (converted,) = convert_rows(batch, context, USERS, now=NOW)
    return converted


def values_of(row: dict[str, str], mapping: str = "", **options: Any) -> Values:
    converted = convert_row(row, mapping, **options)
    assert not converted.failed
    (values,) = converted.accepted
    return values


def errors_of(row: dict[str, str], mapping: str = "", **options: Any) -> list[tuple[str, str, str]]:
    """Return the column, code and value of each error."""
    (failed,) = convert_row(row, mapping, **options).failed
    return [(error.column, error.code, error.value) for error in failed.errors]


def changes_of(row: dict[str, str], mapping: str = "", **options: Any) -> dict[str, Any]:
    """Return the new values of an existing task, without its title."""
    converted = convert_row({"external_id": "1", **row}, mapping, update=True, **options)
    return {name: value for name, value in converted.keyed[0].changes.items() if name != "title"}
