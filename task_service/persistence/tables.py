"""The tables. Migrations make them; statements are built from them."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

metadata = MetaData(schema="tasks")

TIME = DateTime(timezone=True)

tasks = Table(
    "tasks",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("owner_id", Uuid, nullable=False),
    Column("title", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("priority", Text, nullable=False),
    Column("due_date", Date),
    Column("labels", ARRAY(Text), nullable=False),
    Column("external_id", Text, nullable=False),
    Column("assignee_id", Uuid),
    Column("import_id", Uuid),
    Column("created_at", TIME, nullable=False),
    Column("updated_at", TIME, nullable=False),
    Column("completed_at", TIME),
    Column("deleted_at", TIME),
    Column("purge_at", TIME),
    Column("revision", BigInteger, nullable=False),
)

task_events = Table(
    "task_events",
    metadata,
    # The primary key serves one task's events in order. An index on (transaction_number, id) serves the log in commit
    # order.
    Column("id", Uuid, nullable=False),
    Column("task_id", Uuid, primary_key=True),
    Column("owner_id", Uuid, nullable=False),
    Column("assignee_id", Uuid),
    Column("action", Text, nullable=False),
    Column("actor_id", Uuid, nullable=False),
    Column("actor_role", Text, nullable=False),
    Column("occurred_at", TIME, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("revision", BigInteger, primary_key=True),  # of the task, after the change
    Column("changes", JSONB, nullable=False),  # {field: [old, new]}, or {field: null} for free text
    # The schema's owner can erase free text: text and salt become NULL, their digest stays.
    Column("free_text", Text),  # JSON {field: [old, new]}, as text: the digest is of exactly these characters
    Column("salt", LargeBinary),  # 16 random bytes: nobody can find erased text by trying values
    Column("free_text_digest", LargeBinary),  # SHA-256 of salt and UTF-8 text; NULL without text
    # Number of the transaction that wrote the row, from the sequence tasks.transaction_numbers.
    Column("transaction_number", BigInteger, nullable=False),
)

history_blocks = Table(
    "history_blocks",
    metadata,
    Column("number", BigInteger, primary_key=True),  # 1, 2, 3, ... without a gap
    Column("event_count", BigInteger, nullable=False),
    Column("total_events", BigInteger, nullable=False),
    Column(
        "last_transaction_number", BigInteger, nullable=False
    ),  # with last_event_id, the log position of its last event
    Column("last_event_id", Uuid, nullable=False),
    Column("manifest", LargeBinary, nullable=False),
    Column("digest_version", SmallInteger, nullable=False),  # how the digests in the manifest are computed
    Column("previous_hash", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("sealed_at", TIME, nullable=False),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("caller_id", Uuid, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("response", JSONB, nullable=False),
    Column("created_at", TIME, nullable=False),
)

imports = Table(
    "imports",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("owner_id", Uuid, nullable=False),
    Column("actor_id", Uuid, nullable=False),
    Column("actor_role", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("file_name", Text, nullable=False),
    Column("created_at", TIME, nullable=False),
    Column("started_at", TIME),
    Column("finished_at", TIME),
    Column("validate_only", Boolean, nullable=False),
    Column("max_errors", BigInteger, nullable=False),
    Column("default_status", Text, nullable=False),
    Column("default_assignee_id", Uuid),
    Column("default_labels", ARRAY(Text), nullable=False),
    Column("on_duplicate", Text, nullable=False),
    # Known once the upload has finished.
    Column("bytes_total", BigInteger, nullable=False),
    Column("sha256", LargeBinary),
    Column("stored_etag", Text, nullable=False),
    Column("file_stored", Boolean, nullable=False),
    Column("encoding", Text, nullable=False),
    Column("delimiter", Text, nullable=False),
    Column("columns", ARRAY(Text), nullable=False),
    Column("fields", ARRAY(Text), nullable=False),
    Column("warnings", ARRAY(Text), nullable=False),
    Column("options", JSONB, nullable=False),
    Column("source_detected", Text, nullable=False),
    # Checkpoint, and the counts up to it.
    Column("bytes_read", BigInteger, nullable=False),
    Column("next_line", BigInteger, nullable=False),
    Column("rows_created", BigInteger, nullable=False),
    Column("rows_updated", BigInteger, nullable=False),
    Column("rows_unchanged", BigInteger, nullable=False),
    Column("rows_skipped", BigInteger, nullable=False),
    Column("rows_failed", BigInteger, nullable=False),
    Column("rows_read", BigInteger, nullable=False),  # generated by the database: the sum of the counts
    # Imported rows with an unknown or damaged cell.
    Column("unknown_statuses", BigInteger, nullable=False),
    Column("unknown_priorities", BigInteger, nullable=False),
    Column("unknown_due_dates", BigInteger, nullable=False),
    Column("unknown_assignees", BigInteger, nullable=False),
    Column("unreadable_completions", BigInteger, nullable=False),
    Column("rounded_external_ids", BigInteger, nullable=False),
    Column("unknown_email_digests", ARRAY(LargeBinary), nullable=False),  # of all rows, also of rejected ones
    # Skipped rows that continue a task, but have none above them.
    Column("orphaned_rows", BigInteger, nullable=False),
    Column("progressed_at", TIME),
    Column("failed_rows_kept", BigInteger, nullable=False),
    Column("failed_size_kept", BigInteger, nullable=False),
    # Lease.
    Column("fence", BigInteger, nullable=False),
    Column("lease_until", TIME),
    Column("worker", Text, nullable=False),
    Column("attempts_without_progress", Integer, nullable=False),
    # Queue.
    Column("queued_at", TIME),
    Column("wake_at", TIME),
    Column("wakes", Integer, nullable=False),
    Column("waits_for", Text, nullable=False),
    Column("postponements", Integer, nullable=False),
    Column("failure_code", Text),
    Column("failure_message", Text),
    Column("failure_line", BigInteger),
)

import_undos = Table(
    "import_undos",
    metadata,
    Column("import_id", Uuid, primary_key=True),
    Column("state", Text, nullable=False),
    Column("deleted", BigInteger, nullable=False),
    Column("restored", BigInteger, nullable=False),
    Column("kept", BigInteger, nullable=False),
    Column("started_at", TIME, nullable=False),
    Column("finished_at", TIME),
)

import_undo_conflicts = Table(
    "import_undo_conflicts",
    metadata,
    Column("import_id", Uuid, primary_key=True),
    Column("task_id", Uuid, primary_key=True),
    Column("reason", Text, nullable=False),
)

import_errors = Table(
    "import_errors",
    metadata,
    Column("import_id", Uuid, primary_key=True),
    Column("record", BigInteger, primary_key=True),
    Column("position", SmallInteger, primary_key=True),  # one row can have several errors
    Column("line", BigInteger, nullable=False),
    Column("column", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("message", Text, nullable=False),
)

import_failed_rows = Table(
    "import_failed_rows",
    metadata,
    Column("import_id", Uuid, primary_key=True),
    Column("record", BigInteger, primary_key=True),
    Column("line", BigInteger, nullable=False),
    Column("cells", ARRAY(Text), nullable=False),
)
