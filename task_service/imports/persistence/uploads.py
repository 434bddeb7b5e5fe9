"""Imports in Postgres while their files arrive, and the files that are stored."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy import and_, bindparam, delete, func, insert, select, text, update

from chassis.database.connection import Connection
from chassis.database.statement import Statement
from chassis.tracing.spans import current_traceparent
from task_service.imports.domain.duplicate_file import DuplicateImport, DuplicateState
from task_service.imports.domain.header.header import Header
from task_service.imports.domain.imports import NewImport
from task_service.imports.persistence.notifications import NOTIFY
from task_service.imports.usecases.ports import StoredUpload
from task_service.persistence.tables import imports

_INSERT_COLUMNS = (
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
    "traceparent",
)

_INSERT = Statement(insert(imports), columns=_INSERT_COLUMNS)
_IS_UPLOADING = and_(imports.c.id == bindparam("import_id"), imports.c.state == "uploading")
_QUEUE = Statement(
    update(imports)
    .where(_IS_UPLOADING)
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
        options=bindparam("options"),
        source_detected=bindparam("source_detected"),
        bytes_read=bindparam("begin"),
        next_line=bindparam("next_line"),
        queued_at=func.now(),
        wake_at=func.now(),
    )
)
_LOCK_FILE_CONTENT = Statement(
    text("""
    SELECT pg_advisory_xact_lock(hashtextextended(owner_id || encode(:sha256, 'hex'), 0))
    FROM imports WHERE id = :import_id
    """)
)
_FIND_DUPLICATE_FILE = Statement(
    text("""
    SELECT first.id, CASE WHEN undo.state = 'running' THEN 'undoing' ELSE first.state END
    FROM imports new JOIN imports first USING (owner_id) LEFT JOIN import_undos undo ON undo.import_id = first.id
    WHERE new.id = :import_id AND first.id <> new.id AND first.sha256 = :sha256 AND NOT first.validate_only
        AND (first.state IN ('queued', 'running')
            OR first.state = 'succeeded' AND first.rows_created + first.rows_updated > 0)
        AND undo.state IS DISTINCT FROM 'succeeded'
    ORDER BY first.id LIMIT 1
    """)
)
_LOCK_OWNER_QUOTA = Statement(text("SELECT pg_advisory_xact_lock(hashtextextended('tasks.uploads ' || :owner_id, 0))"))
_STORED_BYTES = Statement(
    text("SELECT coalesce(sum(bytes_total), 0)::bigint FROM imports WHERE owner_id = :owner_id AND file_stored")
)
_LOCK_STORAGE = Statement(text("SELECT pg_advisory_xact_lock(hashtextextended('tasks.uploads', 0))"))
_STORED_BYTES_OF_ALL = Statement(text("SELECT coalesce(sum(bytes_total), 0)::bigint FROM imports WHERE file_stored"))
# In random order, so that uploads that can't be deleted do not keep the others from their turn.
_FIND_EXPIRED = Statement(
    text("SELECT id FROM imports WHERE file_stored AND finished_at < :before ORDER BY random() LIMIT 1000")
)
_MARK_FILE_DELETED = Statement(text("UPDATE imports SET file_stored = false WHERE id = :import_id"))
_LOCK_UPLOADING = Statement(select(imports.c.state).where(imports.c.id == bindparam("import_id")).with_for_update())
_DELETE = Statement(delete(imports).where(_IS_UPLOADING))
_FIND_ABANDONED = Statement(
    select(imports.c.id)
    .where(imports.c.state == "uploading", imports.c.created_at < bindparam("before"))
    .order_by(func.random())
    .limit(1000)
)


class SqlUploads:
    """The uploads, on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, new: NewImport) -> None:
        status, assignee_id, labels = new.defaults
        options = (new.validate_only, new.max_errors, status, assignee_id, list(labels), new.on_duplicate)
        row = (new.id, new.owner_id, *new.actor, new.file_name, new.created_at, *options, current_traceparent())
        await _INSERT.execute(self._connection, **dict(zip(_INSERT_COLUMNS, row, strict=True)))

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
            "options": Jsonb(header.options.to_json()),
            "source_detected": header.source_detected,
            "begin": header.size,
            "next_line": header.lines + 1,
        }
        cursor = await _QUEUE.run(self._connection, **values)
        await NOTIFY.execute(self._connection, import_id=import_id)
        return cursor.rowcount == 1

    async def find_duplicate_file(self, import_id: UUID, sha256: bytes) -> DuplicateImport | None:
        await _LOCK_FILE_CONTENT.execute(self._connection, import_id=import_id, sha256=sha256)
        row = await _FIND_DUPLICATE_FILE.fetch_one(self._connection, import_id=import_id, sha256=sha256)
        return DuplicateImport(row[0], DuplicateState(row[1])) if row else None

    async def stored_bytes(self, owner_id: UUID) -> int:
        await _LOCK_OWNER_QUOTA.execute(self._connection, owner_id=str(owner_id))
        row = await _STORED_BYTES.fetch_one(self._connection, owner_id=owner_id)
        return row[0] if row else 0

    async def stored_bytes_of_all(self) -> int:
        await _LOCK_STORAGE.execute(self._connection)
        row = await _STORED_BYTES_OF_ALL.fetch_one(self._connection)
        return row[0] if row else 0

    async def find_expired(self, before: datetime) -> Sequence[UUID]:
        cursor = await _FIND_EXPIRED.run(self._connection, before=before)
        return [row[0] for row in await cursor.fetchall()]

    async def mark_file_deleted(self, import_id: UUID) -> None:
        await _MARK_FILE_DELETED.execute(self._connection, import_id=import_id)

    async def lock_uploading(self, import_id: UUID) -> bool:
        row = await _LOCK_UPLOADING.fetch_one(self._connection, import_id=import_id)
        return row is None or row[0] == "uploading"

    async def delete(self, import_id: UUID) -> None:
        await _DELETE.execute(self._connection, import_id=import_id)

    async def find_abandoned(self, before: datetime) -> Sequence[UUID]:
        cursor = await _FIND_ABANDONED.run(self._connection, before=before)
        return [row[0] for row in await cursor.fetchall()]
