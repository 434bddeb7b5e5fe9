"""State of a schema in the database: its revisions, and the revisions that services must know."""

from collections.abc import Collection
from dataclasses import dataclass

import psycopg
from alembic.script import Script
from psycopg import sql
from sqlalchemy import Connection

from chassis.database.revisions import RevisionHistory, required_revision

COMPATIBILITY = "schema_compatibility"
"""Table with one row for each contract revision that has run. Old services read it; they do not know newer files."""


@dataclass(frozen=True, slots=True)
class SchemaState:
    """State of a schema."""

    heads: frozenset[str] = frozenset()
    """Newest revisions, as Alembic stores them: one or two. None if the schema is not migrated."""
    required: frozenset[str] = frozenset()
    """Expand revisions that a service must know, since the contract phase."""

    def __str__(self) -> str:
        return ", ".join(sorted(self.heads)) or "none"


def heads_query(schema: str) -> sql.Composed:
    """Return the statement that reads the newest revisions."""
    return sql.SQL("SELECT version_num FROM {}").format(sql.Identifier(schema, "alembic_version"))


def required_query(schema: str) -> sql.Composed:
    """Return the statement that reads the expand revisions that services must know."""
    return sql.SQL("SELECT required_revision FROM {}").format(sql.Identifier(schema, COMPATIBILITY))


def read_as_owner(connection: psycopg.Connection, schema: str) -> SchemaState:
    """Read the state in a migration. The connection is in autocommit mode."""

    def column(query: sql.Composed) -> Collection[str]:
        try:
            return [row[0] for row in connection.execute(query)]
        except psycopg.errors.UndefinedTable:
            return ()

    return SchemaState(frozenset(column(heads_query(schema))), frozenset(column(required_query(schema))))


def create_compatibility_table(connection: psycopg.Connection, schema: str, app_role: str) -> None:
    """Create the table of the required revisions if it is missing, and let the service read it."""
    names = {"table": sql.Identifier(schema, COMPATIBILITY), "app": sql.Identifier(app_role)}
    exists = connection.execute("SELECT to_regclass(%s)", [f"{schema}.{COMPATIBILITY}"]).fetchone()
    if exists is None or exists[0] is None:
        connection.execute(
            sql.SQL("""
                CREATE TABLE {table} (
                    contract_revision text PRIMARY KEY,
                    required_revision text NOT NULL,
                    contracted_at timestamptz NOT NULL DEFAULT now()
                );
                GRANT SELECT ON {table} TO {app}
            """).format(**names)
        )


def record_contract(connection: Connection, schema: str, script: Script) -> None:
    """Record, in the transaction of a contract revision, the revision that services must know from now on."""
    connection.exec_driver_sql(
        f"INSERT INTO {schema}.{COMPATIBILITY} (contract_revision, required_revision)"  # noqa: S608 - our own names
        " VALUES (%(contract)s, %(required)s) ON CONFLICT DO NOTHING",
        {"contract": script.revision, "required": required_revision(script)},
    )


def newer_release_needed(history: RevisionHistory, state: SchemaState) -> str | None:
    """Return one line if the contract phase of a newer release has made the schema unusable for this one."""
    unknown = state.required - history.known
    if not unknown:
        return None
    return (
        f"schema {history.schema} was contracted by a newer release:"
        f" start a release with revision {max(unknown)} or newer"
    )


def schema_problem(history: RevisionHistory, state: SchemaState) -> str | None:
    """Return the reason why this release can't serve on the schema, as one line; None if it can.

    It can serve on a schema that a newer release has expanded, but not on one that a newer release has contracted
    and that lacks something this release needs.
    """
    if reason := newer_release_needed(history, state):
        return reason
    if not _is_behind(history, state):
        return None
    found = f"at revision {state}" if state.heads else "not migrated"
    return f"schema {history.schema} is {found} and must be at {history.expand_head}: run migrate"


def _is_behind(history: RevisionHistory, state: SchemaState) -> bool:
    if not state.heads <= history.known:
        return False  # a newer release has migrated it
    applied = {script.revision for script in history.ancestors(state.heads)}
    return history.expand_head not in applied
