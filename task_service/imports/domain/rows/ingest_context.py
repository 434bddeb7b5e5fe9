"""Common data of all rows of an import."""

from typing import NamedTuple
from uuid import UUID

from task_service.history.domain.events import Actor
from task_service.imports.domain.duplicates import OnDuplicate
from task_service.imports.domain.imports import Defaults
from task_service.imports.domain.options.row_options import RowOptions
from task_service.imports.domain.options.row_rules import RowRules
from task_service.imports.domain.rows.used_columns import UsedColumns


class IngestContext(NamedTuple):
    """Common data of all rows of an import. It is read from the import's row, never from a message."""

    import_id: UUID
    owner_id: UUID
    actor: Actor
    fields: tuple[str, ...]
    """Field of each column whose cells a batch has, "" for no field."""
    encoding: str = "utf-8"
    validate_only: bool = False
    max_errors: int = 0
    defaults: Defaults = Defaults()
    on_duplicate: OnDuplicate = OnDuplicate.FAIL
    size: int = 0
    """Size of the file in bytes."""
    columns: tuple[str, ...] = ()
    """Names of the same columns as in the file."""
    row_options: RowOptions = RowOptions()
    row_rules: RowRules = RowRules()
    used_columns: UsedColumns | None = None
    """None if a batch has the cells of all columns."""
    orphaned_rows: int = 0
    """Number of rows before the batch that continue a task, but have none above them in the file."""

    def column_of(self, field: str) -> str | None:
        """Return the name of the column that fills a field; None if there is none."""
        return next((column for column, used in zip(self.columns, self.fields, strict=False) if used == field), None)
