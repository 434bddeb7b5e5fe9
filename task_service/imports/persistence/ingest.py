"""Imports in Postgres, as workers process them. Leases use the database's clock only."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any
from uuid import UUID

from psycopg import sql
from sqlalchemy import text

from chassis.database.connection import Connection
from chassis.database.statement import Statement, copy_statement
from chassis.database.unit_of_work import translate_constraint_violations
from task_service.history.domain.events import Actor
from task_service.history.persistence.events import SqlEvents
from task_service.imports.domain.cells.assignees import MAX_UNKNOWN_EMAILS
from task_service.imports.domain.duplicates import OnDuplicate
from task_service.imports.domain.errors import BatchNotAtCheckpoint, LeaseLost
from task_service.imports.domain.imports import Checkpoint, Counts, Defaults, Failure, State, WaitReason
from task_service.imports.domain.options.row_options import RowOptions
from task_service.imports.domain.options.row_rules import find_row_rules
from task_service.imports.domain.rows.batch_columns import without_unused_columns
from task_service.imports.domain.rows.failed_rows import FailedRow, Quota, RowError
from task_service.imports.domain.rows.ingest_context import IngestContext
from task_service.imports.domain.rows.unknown_cells import UnknownCells
from task_service.imports.persistence.binary_copy import HEADER, TRAILER, encode_value
from task_service.imports.persistence.notifications import NOTIFY
from task_service.imports.persistence.row_encoder import EVENT_COLUMNS, TASK_COLUMNS, CopyRows
from task_service.imports.usecases.ports import PreviousTotals, StoredUpload
from task_service.imports.usecases.prepared_batch import PreparedBatch
from task_service.tasks.domain.errors import ExternalIdTaken

_GET_UPLOAD = Statement(text("SELECT bytes_total, sha256, stored_etag FROM imports WHERE id = :import_id"))
# Condition of the statements that only the holder of the lease may run.
_IS_LEASE_HOLDER = "id = :import_id AND fence = :fence AND state = 'running'"
_RENEW_LEASE = Statement(
    text(f"""
    UPDATE imports SET lease_until = now() + make_interval(secs => :seconds) WHERE {_IS_LEASE_HOLDER}
    RETURNING bytes_read, next_line, rows_read, owner_id, actor_id, actor_role, request_id, fields,
        encoding, validate_only, max_errors, default_status, default_assignee_id, default_labels,
        on_duplicate, bytes_total, columns, options -> 'values' AS row_options, delimiter, orphaned_rows
    """)  # noqa: S608 - the condition is a constant
)
_ADVANCE_CHECKPOINT = Statement(
    text(f"""
    UPDATE imports SET
        bytes_read = :offset, next_line = :line,
        rows_created = rows_created + :created, rows_skipped = rows_skipped + :skipped,
        rows_failed = rows_failed + :failed,
        unknown_statuses = unknown_statuses + :status, unknown_priorities = unknown_priorities + :priority,
        unknown_due_dates = unknown_due_dates + :due_date, unknown_assignees = unknown_assignees + :assignee,
        unreadable_completions = unreadable_completions + :completed_at, orphaned_rows = orphaned_rows + :orphans,
        rounded_external_ids = rounded_external_ids + :external_id,
        lease_until = now() + make_interval(secs => :seconds), attempts_without_progress = 0, wakes = 0,
        progressed_at = now(), waits_for = '', postponements = 0
    WHERE {_IS_LEASE_HOLDER}
    RETURNING rows_read - :created - :skipped - :failed AS previous_records,
        EXISTS (SELECT FROM imports WHERE state = 'queued' AND queued_at <= now()) AS has_pending,
        rows_failed - :failed AS previous_failed, failed_rows_kept, failed_size_kept
    """)  # noqa: S608 - the condition is a constant
)
_ADD_COUNTS = Statement(
    text("""
    UPDATE imports SET
        rows_created = rows_created + :created, rows_updated = rows_updated + :updated,
        rows_unchanged = rows_unchanged + :unchanged, rows_skipped = rows_skipped + :skipped,
        rows_failed = rows_failed + :failed
    WHERE id = :import_id
    """)
)
# Most batches have no new digest, and then write nothing.
_ADD_UNKNOWN_EMAILS = Statement(
    text("""
    UPDATE imports SET unknown_email_digests = ARRAY(
        SELECT unnest(unknown_email_digests) UNION SELECT unnest(CAST(:digests AS bytea[]))
    )
    WHERE id = :import_id AND NOT unknown_email_digests @> CAST(:digests AS bytea[])
    RETURNING cardinality(unknown_email_digests)
    """)
)
_ADD_STORED_FAILED_ROWS = Statement(
    text("""
    UPDATE imports SET failed_rows_kept = failed_rows_kept + :rows, failed_size_kept = failed_size_kept + :size
    WHERE id = :import_id
    """)
)
_FINISH = Statement(
    text(f"""
    UPDATE imports SET
        state = :state, finished_at = now(), lease_until = NULL, wake_at = NULL,
        -- Blank lines after the last row are in no batch.
        bytes_read = CASE WHEN :state = 'succeeded' THEN bytes_total ELSE bytes_read END,
        failure_code = :code, failure_message = :message, failure_line = :at_line
    WHERE {_IS_LEASE_HOLDER}
    """)  # noqa: S608 - the condition is a constant
)
# The claim has counted an attempt. Giving the lease back takes it off again, and leaves those of crashed workers.
_RELEASE_LEASE = Statement(
    text(f"""
    UPDATE imports SET
        state = 'queued', lease_until = NULL, queued_at = now(), wake_at = now(), wakes = 0, waits_for = '',
        attempts_without_progress = greatest(attempts_without_progress - 1, 0)
    WHERE {_IS_LEASE_HOLDER}
    """)  # noqa: S608 - the condition is a constant
)
# The next claims follow after 1, 2, 4 and up to 300 seconds.
_PAUSE = "make_interval(secs => least(300, 2 ^ least(postponements, 9)))"
_POSTPONE = Statement(
    text(f"""
    UPDATE imports SET
        state = 'queued', lease_until = NULL, queued_at = now() + {_PAUSE}, wake_at = now() + {_PAUSE}, wakes = 0,
        waits_for = :waits_for, postponements = postponements + 1,
        attempts_without_progress = greatest(attempts_without_progress - 1, 0)
    WHERE {_IS_LEASE_HOLDER}
    """)  # noqa: S608 - the condition and the pause are constants
)


_BINARY_FORMAT = sql.SQL(" (FORMAT binary)")
_COPY_TASKS = copy_statement("tasks", TASK_COLUMNS) + _BINARY_FORMAT
_COPY_EVENTS = copy_statement("task_events", EVENT_COLUMNS) + _BINARY_FORMAT
_COPY_FAILED_ROWS = copy_statement("import_failed_rows", ("import_id", "record", "line", "cells"))
_COPY_ERRORS = copy_statement("import_errors", ("import_id", "position", *RowError._fields))


class SqlIngest:
    """Checkpoints and bulk writes under leases, on one connection."""

    def __init__(self, connection: Connection, events: SqlEvents) -> None:
        self._connection = connection
        self._events = events

    async def get_upload(self, import_id: UUID) -> StoredUpload:
        row = await _GET_UPLOAD.fetch_one(self._connection, import_id=import_id)
        if row is None:
            raise LeaseLost
        return StoredUpload._make(row)

    async def renew_lease(self, import_id: UUID, fence: int, lease_seconds: float) -> tuple[Checkpoint, IngestContext]:
        row = await self._run_under_lease(_RENEW_LEASE, import_id, fence, seconds=lease_seconds)
        row_options = RowOptions.from_json(row["row_options"])
        context = IngestContext(
            import_id=import_id,
            owner_id=row["owner_id"],
            actor=Actor(row["actor_id"], row["actor_role"], row["request_id"]),
            fields=tuple(row["fields"]),
            encoding=row["encoding"],
            validate_only=row["validate_only"],
            max_errors=row["max_errors"],
            defaults=Defaults(row["default_status"], row["default_assignee_id"], row["default_labels"]),
            on_duplicate=OnDuplicate(row["on_duplicate"]),
            size=row["bytes_total"],
            columns=tuple(row["columns"]),
            row_options=row_options,
            row_rules=find_row_rules(row_options, row["columns"]),
            orphaned_rows=row["orphaned_rows"],
        )
        checkpoint = Checkpoint(row["bytes_read"], row["next_line"], row["rows_read"])
        return checkpoint, without_unused_columns(context, row["delimiter"])

    async def advance_checkpoint(
        self, import_id: UUID, fence: int, batch: PreparedBatch, lease_seconds: float
    ) -> PreviousTotals:
        row = await self._run_under_lease(
            _ADVANCE_CHECKPOINT,
            import_id,
            fence,
            offset=batch.end.offset,
            line=batch.end.line,
            created=batch.counts.created,
            skipped=batch.counts.skipped,
            failed=batch.counts.failed,
            orphans=batch.selection.orphans,
            seconds=lease_seconds,
            **UnknownCells.from_counter(batch.unknown_cells)._asdict(),
        )
        if row["previous_records"] != batch.begin.records:
            raise BatchNotAtCheckpoint
        await self._notify(import_id)
        return PreviousTotals(
            has_pending=row["has_pending"],
            rows_failed=row["previous_failed"],
            stored_failed_rows=Quota(row["failed_rows_kept"], row["failed_size_kept"]),
        )

    async def add_counts(self, import_id: UUID, counts: Counts) -> None:
        await _ADD_COUNTS.execute(self._connection, import_id=import_id, **counts._asdict())

    async def add_unknown_emails(self, import_id: UUID, digests: Collection[bytes]) -> int:
        # One more than the limit is enough to exceed it.
        added = list(islice(digests, MAX_UNKNOWN_EMAILS + 1))
        row = await _ADD_UNKNOWN_EMAILS.fetch_one(self._connection, import_id=import_id, digests=added)
        return int(row[0]) if row else 0

    async def insert_rows(self, rows: Sequence[CopyRows], on_sent: Callable[[], None]) -> None:
        if not any(piece.tasks for piece in rows):
            return
        with translate_constraint_violations({"tasks_external_id_unique": ExternalIdTaken}):
            await self._copy_binary(_COPY_TASKS, [piece.tasks for piece in rows], on_sent)
        number = encode_value(await self._events.take_transaction_number())
        await self._copy_binary(_COPY_EVENTS, [piece.events.encode(number) for piece in rows], on_sent)

    async def add_failed_rows(self, import_id: UUID, failed: Sequence[FailedRow]) -> None:
        size = sum(row.size for row in failed)
        await _ADD_STORED_FAILED_ROWS.execute(self._connection, import_id=import_id, rows=len(failed), size=size)
        await self._copy_text(_COPY_FAILED_ROWS, ((import_id, row.record, row.line, list(row.cells)) for row in failed))
        errors = ((import_id, position, *error) for row in failed for position, error in enumerate(row.errors, 1))
        await self._copy_text(_COPY_ERRORS, errors)

    async def finish(self, import_id: UUID, fence: int, state: State, failure: Failure | None) -> None:
        code, message, line = failure or (None, None, None)
        await self._run_under_lease(_FINISH, import_id, fence, state=state, code=code, message=message, at_line=line)
        await self._notify(import_id)

    async def release_lease(self, import_id: UUID, fence: int) -> None:
        await self._run_under_lease(_RELEASE_LEASE, import_id, fence)
        await self._notify(import_id)

    async def postpone(self, import_id: UUID, fence: int, waits_for: WaitReason) -> None:
        await self._run_under_lease(_POSTPONE, import_id, fence, waits_for=waits_for)
        await self._notify(import_id)

    async def _run_under_lease(
        self, statement: Statement, import_id: UUID, fence: int, **values: object
    ) -> Mapping[str, Any]:
        """Run a statement of the lease's holder; return its row. Raises LeaseLost under another fence."""
        cursor = await statement.run_by_name(self._connection, import_id=import_id, fence=fence, **values)
        if cursor.rowcount != 1:
            raise LeaseLost
        return await cursor.fetchone() or {} if cursor.description else {}

    async def _notify(self, import_id: UUID) -> None:
        await NOTIFY.execute(self._connection, import_id=import_id)

    async def _copy_binary(self, statement: sql.Composed, rows: Iterable[bytes], on_sent: Callable[[], None]) -> None:
        async with self._connection.cursor() as cursor, cursor.copy(statement) as copy:
            for data in (HEADER, *rows, TRAILER):
                await copy.write(data)
            on_sent()

    async def _copy_text(self, statement: sql.Composed, rows: Iterable[tuple[Any, ...]]) -> None:
        async with self._connection.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                await copy.write_row(row)
