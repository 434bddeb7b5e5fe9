"""Imports in Postgres, as their owners see them."""

import struct
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import and_, bindparam, delete, func, insert, null, or_, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import aggregate_order_by

from chassis.database.pool import Connection
from chassis.database.statement import Statement
from chassis.kernel import InvalidPageToken, Page, PageRequest
from task_service.domain.csv_header import Header
from task_service.domain.imports import Counts, Failure, Import, NewImport, RejectedRow, RowError, State
from task_service.persistence.signals import NOTIFY
from task_service.persistence.tables import import_errors, import_failed_rows, imports
from task_service.usecases.import_ports import StoredUpload

_SHOWN = (
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
)
_COLUMNS = [
    *(imports.c[name] for name in _SHOWN),
    *(imports.c[f"rows_{name}"] for name in Counts._fields),
    imports.c.failure_code,
    imports.c.failure_message,
    imports.c.failure_line,
]
_NEW = (
    "id",
    "owner_id",
    "actor_id",
    "actor_role",
    "request_id",
    "file_name",
    "created_at",
    "validate_only",
    "max_errors",
    "default_status",
    "default_assignee_id",
    "default_labels",
    "on_duplicate",
)

_ADD = Statement(insert(imports), columns=_NEW)
_UPLOADING = and_(imports.c.id == bindparam("import_id"), imports.c.state == "uploading")
_QUEUE = Statement(
    update(imports)
    .where(_UPLOADING)
    .values(
        state="queued",
        bytes_total=bindparam("size"),
        sha256=bindparam("sha256"),
        stored_etag=bindparam("etag"),
        encoding=bindparam("encoding"),
        delimiter=bindparam("delimiter"),
        columns=bindparam("columns"),
        fields=bindparam("fields"),
        warnings=bindparam("warnings"),
        bytes_read=bindparam("begin"),
        next_line=2,
        queued_at=func.now(),
        wake_at=func.now(),
    )
)
_LOCK_BYTES = Statement(
    text("""
    SELECT pg_advisory_xact_lock(hashtextextended(owner_id || encode(:sha256, 'hex'), 0))
    FROM tasks.imports WHERE id = :import_id
    """)
)
_SAME_FILE = Statement(
    text("""
    SELECT first.id FROM tasks.imports mine JOIN tasks.imports first USING (owner_id)
    WHERE mine.id = :import_id AND first.id <> mine.id AND first.sha256 = :sha256 AND NOT first.validate_only
        AND first.state IN ('queued', 'running', 'succeeded')
    ORDER BY first.id LIMIT 1
    """)
)
_EXPIRED = Statement(
    text("SELECT id FROM tasks.imports WHERE file_stored AND finished_at < :before ORDER BY finished_at LIMIT 1000")
)
_FORGET_FILE = Statement(text("UPDATE tasks.imports SET file_stored = false WHERE id = :import_id"))
_LOCK_UPLOAD = Statement(select(imports.c.id).where(_UPLOADING).with_for_update())
_REMOVE = Statement(delete(imports).where(_UPLOADING))
_ABANDONED = Statement(
    select(imports.c.id)
    .where(imports.c.state == "uploading", imports.c.created_at < bindparam("before"))
    .order_by(imports.c.id)
    .limit(1000)
)
_CANCEL = Statement(
    update(imports)
    .where(imports.c.id == bindparam("import_id"), or_(imports.c.state == "queued", imports.c.state == "running"))
    .values(state="cancelled", finished_at=func.now(), lease_until=null(), wake_at=null())
)
_GET = Statement(select(*_COLUMNS).where(imports.c.id == bindparam("id")))

_ERROR_COLUMNS = [import_errors.c[name] for name in (*RowError._fields, "place")]
_ERROR_KEY = struct.Struct(">QH")


@cache
def _page(*, owner: bool, after: bool) -> Statement:
    query = select(*_COLUMNS)
    if owner:
        query = query.where(imports.c.owner_id == bindparam("owner_id"))
    if after:
        query = query.where(imports.c.id < bindparam("after"))
    return Statement(query.order_by(imports.c.id.desc()).limit(bindparam("most")))


_ERRORS = Statement(
    select(*_ERROR_COLUMNS)
    .where(
        import_errors.c.import_id == bindparam("import_id"),
        tuple_(import_errors.c.record, import_errors.c.place) > tuple_(bindparam("record"), bindparam("place")),
    )
    .order_by(import_errors.c.record, import_errors.c.place)
    .limit(bindparam("most"))
)

_COLUMN_NAMES = Statement(select(imports.c.columns).where(imports.c.id == bindparam("import_id")))
_FAILED_ROWS = Statement(
    select(
        import_failed_rows.c.record,
        import_failed_rows.c.line,
        import_failed_rows.c.cells,
        func.array_agg(aggregate_order_by(import_errors.c.message, import_errors.c.place)),
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
    .limit(bindparam("most"))
)


class SqlImports:
    """The imports, on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, new: NewImport) -> None:
        status, assignee_id, labels = new.defaults
        options = (new.validate_only, new.max_errors, status, assignee_id, list(labels), new.on_duplicate)
        row = (new.id, new.owner_id, *new.actor, new.file_name, new.created_at, *options)
        await _ADD.run(self._connection, **dict(zip(_NEW, row, strict=True)))

    async def queue(self, import_id: UUID, header: Header, upload: StoredUpload) -> bool:
        values = {
            "import_id": import_id,
            "size": upload.size,
            "sha256": upload.sha256,
            "etag": upload.etag,
            "encoding": header.encoding,
            "delimiter": header.delimiter,
            "columns": list(header.columns),
            "fields": list(header.fields),
            "warnings": list(header.warnings),
            "begin": header.size,
        }
        cursor = await _QUEUE.run(self._connection, **values)
        await NOTIFY.run(self._connection, import_id=import_id)
        return cursor.rowcount == 1

    async def same_file(self, import_id: UUID, sha256: bytes) -> UUID | None:
        await _LOCK_BYTES.run(self._connection, import_id=import_id, sha256=sha256)
        row = await (await _SAME_FILE.run(self._connection, import_id=import_id, sha256=sha256)).fetchone()
        return row[0] if row else None

    async def expired(self, before: datetime) -> Sequence[UUID]:
        cursor = await _EXPIRED.run(self._connection, before=before)
        return [row[0] for row in await cursor.fetchall()]

    async def forget_file(self, import_id: UUID) -> None:
        await _FORGET_FILE.run(self._connection, import_id=import_id)

    async def lock_upload(self, import_id: UUID) -> bool:
        cursor = await _LOCK_UPLOAD.run(self._connection, import_id=import_id)
        return cursor.rowcount == 1

    async def remove_upload(self, import_id: UUID) -> None:
        await _REMOVE.run(self._connection, import_id=import_id)

    async def abandoned(self, before: datetime) -> Sequence[UUID]:
        cursor = await _ABANDONED.run(self._connection, before=before)
        return [row[0] for row in await cursor.fetchall()]

    async def get(self, import_id: UUID) -> Import | None:
        cursor = await _GET.run(self._connection, id=import_id)
        row = await cursor.fetchone()
        return _import(row) if row else None

    async def page(self, owner_id: UUID | None, request: PageRequest) -> Page[Import]:
        after = request.after_id
        statement = _page(owner=owner_id is not None, after=after is not None)
        cursor = await statement.run(self._connection, owner_id=owner_id, after=after, most=request.size + 1)
        return request.page([_import(row) for row in await cursor.fetchall()], lambda found: found.id.bytes)

    async def errors(self, import_id: UUID, request: PageRequest) -> Page[RowError]:
        try:
            record, place = _ERROR_KEY.unpack(request.after) if request.after else (0, 0)
        except struct.error:  # a forged token
            raise InvalidPageToken from None
        cursor = await _ERRORS.run(
            self._connection, import_id=import_id, record=record, place=place, most=request.size + 1
        )
        page = request.page(await cursor.fetchall(), lambda row: _ERROR_KEY.pack(row[0], row[6]))
        return Page([RowError._make(row[:6]) for row in page.items], page.next_token)

    async def cancel(self, import_id: UUID) -> bool:
        cursor = await _CANCEL.run(self._connection, import_id=import_id)
        await NOTIFY.run(self._connection, import_id=import_id)
        return cursor.rowcount == 1

    async def column_names(self, import_id: UUID) -> Sequence[str]:
        row = await (await _COLUMN_NAMES.run(self._connection, import_id=import_id)).fetchone()
        return row[0] if row else ()

    async def failed_rows(self, import_id: UUID, after: int, most: int) -> Sequence[RejectedRow]:
        cursor = await _FAILED_ROWS.run(self._connection, import_id=import_id, after=after, most=most)
        return [RejectedRow._make(row) for row in await cursor.fetchall()]


def _import(row: tuple[Any, ...]) -> Import:
    values = dict(zip(_SHOWN, row, strict=False))
    values |= {"state": State(values["state"]), "warnings": tuple(values["warnings"])}
    *rows, code, message, line = row[len(_SHOWN) :]
    return Import(**values, rows=Counts._make(rows), failure=Failure(code, message, line) if code else None)
