"""Imports in Postgres, as their owners see them."""

import struct
from collections.abc import Sequence
from functools import cache
from itertools import islice
from typing import Any
from uuid import UUID

from sqlalchemy import and_, bindparam, func, null, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import aggregate_order_by

from chassis.database.connection import Connection
from chassis.database.statement import Statement
from chassis.kernel.pagination import InvalidPageToken, Page, PageRequest
from task_service.imports.domain.imports import Counts, Failure, Import, State, WaitReason
from task_service.imports.domain.options.upload_options import UploadOptions
from task_service.imports.domain.rows.failed_rows import ErrorReportRow, RowError
from task_service.imports.domain.rows.row_selection import orphan_warnings
from task_service.imports.domain.rows.unknown_cells import UnknownCells
from task_service.imports.domain.undo import Undo, UndoState
from task_service.imports.persistence.notifications import NOTIFY
from task_service.persistence.tables import import_errors, import_failed_rows, import_undos, imports

_IMPORT_FIELDS = (
    "id",
    "owner_id",
    "state",
    "file_name",
    "bytes_total",
    "bytes_read",
    "warnings",
    "created_at",
    "started_at",
    "finished_at",
    "failed_rows_kept",
    "validate_only",
    "progressed_at",
    "waits_for",
    "options",
    "source_detected",
)
_COLUMNS = [
    *(imports.c[name] for name in _IMPORT_FIELDS),
    *(imports.c[f"rows_{name}"] for name in Counts._fields),
    imports.c.unknown_statuses,
    imports.c.unknown_priorities,
    imports.c.unknown_due_dates,
    imports.c.unknown_assignees,
    imports.c.unreadable_completions,
    imports.c.rounded_external_ids,
    imports.c.orphaned_rows,
    imports.c.failure_code,
    imports.c.failure_message,
    imports.c.failure_line,
    *(import_undos.c[name] for name in Undo._fields),
]
_SELECT_WITH_UNDO = select(*_COLUMNS).select_from(
    imports.outerjoin(import_undos, import_undos.c.import_id == imports.c.id)
)

_CANCEL = Statement(
    update(imports)
    .where(imports.c.id == bindparam("import_id"), or_(imports.c.state == "queued", imports.c.state == "running"))
    .values(state="cancelled", finished_at=func.now(), lease_until=null(), wake_at=null())
)
_GET = Statement(_SELECT_WITH_UNDO.where(imports.c.id == bindparam("id")))

_ERROR_COLUMNS = [import_errors.c[name] for name in (*RowError._fields, "position")]
_ERROR_KEY = struct.Struct(">QH")


@cache
def _list_statement(*, owner: bool, after: bool) -> Statement:
    query = _SELECT_WITH_UNDO
    if owner:
        query = query.where(imports.c.owner_id == bindparam("owner_id"))
    if after:
        query = query.where(imports.c.id < bindparam("after"))
    return Statement(query.order_by(imports.c.id.desc()).limit(bindparam("limit")))


_LIST_ERRORS = Statement(
    select(*_ERROR_COLUMNS)
    .where(
        import_errors.c.import_id == bindparam("import_id"),
        tuple_(import_errors.c.record, import_errors.c.position) > tuple_(bindparam("record"), bindparam("position")),
    )
    .order_by(import_errors.c.record, import_errors.c.position)
    .limit(bindparam("limit"))
)

_GET_COLUMN_NAMES = Statement(select(imports.c.columns).where(imports.c.id == bindparam("import_id")))
_LIST_FAILED_ROWS = Statement(
    select(
        import_failed_rows.c.record,
        import_failed_rows.c.line,
        import_failed_rows.c.cells,
        func.array_agg(aggregate_order_by(import_errors.c.message, import_errors.c.position)),
    )
    .join(
        import_errors,
        and_(
            import_errors.c.import_id == import_failed_rows.c.import_id,
            import_errors.c.record == import_failed_rows.c.record,
        ),
    )
    .where(import_failed_rows.c.import_id == bindparam("import_id"), import_failed_rows.c.record > bindparam("after"))
    .group_by(import_failed_rows.c.import_id, import_failed_rows.c.record)
    .order_by(import_failed_rows.c.record)
    .limit(bindparam("limit"))
)


class SqlImports:
    """The imports, on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def get(self, import_id: UUID) -> Import | None:
        row = await _GET.fetch_one(self._connection, id=import_id)
        return _import(row) if row else None

    async def list_page(self, owner_id: UUID | None, request: PageRequest) -> Page[Import]:
        after = request.after_id
        statement = _list_statement(owner=owner_id is not None, after=after is not None)
        cursor = await statement.run(self._connection, owner_id=owner_id, after=after, limit=request.size + 1)
        return request.page([_import(row) for row in await cursor.fetchall()], lambda found: found.id.bytes)

    async def list_errors(self, import_id: UUID, request: PageRequest) -> Page[RowError]:
        try:
            record, position = _ERROR_KEY.unpack(request.after) if request.after else (0, 0)
        except struct.error:  # a forged token
            raise InvalidPageToken from None
        cursor = await _LIST_ERRORS.run(
            self._connection, import_id=import_id, record=record, position=position, limit=request.size + 1
        )
        page = request.page(await cursor.fetchall(), lambda row: _ERROR_KEY.pack(row[0], row[6]))
        return page.map(lambda row: RowError._make(row[:6]))

    async def cancel(self, import_id: UUID) -> bool:
        cursor = await _CANCEL.run(self._connection, import_id=import_id)
        if cursor.rowcount:
            await NOTIFY.execute(self._connection, import_id=import_id)
        return bool(cursor.rowcount)

    async def get_column_names(self, import_id: UUID) -> Sequence[str]:
        row = await _GET_COLUMN_NAMES.fetch_one(self._connection, import_id=import_id)
        return row[0] if row else ()

    async def list_failed_rows(self, import_id: UUID, after: int, limit: int) -> Sequence[ErrorReportRow]:
        cursor = await _LIST_FAILED_ROWS.run(self._connection, import_id=import_id, after=after, limit=limit)
        return [ErrorReportRow._make(row) for row in await cursor.fetchall()]


def _import(row: tuple[Any, ...]) -> Import:
    values = dict(zip(_IMPORT_FIELDS, row, strict=False))
    is_queued = values["state"] == State.QUEUED
    rest = iter(row[len(_IMPORT_FIELDS) :])
    rows = Counts._make(islice(rest, len(Counts._fields)))
    unknown_cells = UnknownCells._make(islice(rest, len(UnknownCells._fields)))
    orphaned_rows = next(rest)
    values |= {
        "state": State(values["state"]),
        "options": UploadOptions.from_json(values["options"]),
        "warnings": (*values["warnings"], *unknown_cells.warnings(), *orphan_warnings(orphaned_rows)),
        "waits_for": WaitReason(values["waits_for"]) if values["waits_for"] and is_queued else None,
    }
    code, message, line, state, *undo = rest
    return Import(
        **values,
        rows=rows,
        failure=Failure(code, message, line) if code else None,
        undo=Undo(UndoState(state), *undo) if state else None,
    )
