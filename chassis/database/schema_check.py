"""The revision of a schema, which a service compares with its own before it serves."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psycopg
import structlog
from alembic.script import ScriptDirectory
from psycopg import sql

from chassis.database.connection import TimeLimitedConnection, connection_options
from chassis.probes.process_status import ProcessStatus

RETRY_SECONDS = 0.5

log = structlog.get_logger("database")


@dataclass(frozen=True, slots=True)
class SchemaRevisions:
    """Revisions of a schema that this release knows."""

    schema: str
    head: str
    known: Collection[str]

    @classmethod
    def read(cls, schema: str, migrations: Path) -> Self:
        """Read the revisions from the folder of the migrations."""
        scripts = ScriptDirectory(str(migrations))
        known = frozenset(script.revision for script in scripts.walk_revisions())
        return cls(schema, str(scripts.get_current_head()), known)

    def is_behind(self, revision: str | None) -> bool:
        """Return True if this release needs a migration first. A newer release's revision is not behind."""
        return revision is None or (revision in self.known and revision != self.head)


class WrongSearchPath(Exception):
    """The role finds other tables than those of its service's schema."""

    def __init__(self, schema: str) -> None:
        super().__init__(f"the role's search_path does not begin with schema {schema}: run provision")


class SchemaCheck:
    """Check that the database responds, and that its schema is migrated."""

    def __init__(self, url: str, revisions: SchemaRevisions, status: ProcessStatus) -> None:
        self._url = url
        self._revisions = revisions
        self._status = status

    async def __call__(self) -> str | None:
        """Return the revision of the schema, and show it to operators.

        Raises psycopg.OperationalError, WrongSearchPath.
        """
        revision = await read_revision(self._url, self._revisions.schema)
        self._status.details["schema_revision"] = revision or "none"
        return revision

    async def wait_until_migrated(self) -> None:
        """Wait until the schema is migrated. It has no time limit, since a migration may run at this moment."""
        logged = ""
        while True:
            try:
                revision = await self()
            except psycopg.OperationalError:
                reason = "the database does not respond"
            except WrongSearchPath as error:
                reason = str(error)
            else:
                if not self._revisions.is_behind(revision):
                    return
                found = f"at revision {revision}" if revision else "not migrated"
                reason = (
                    f"schema {self._revisions.schema} is {found} and must be at {self._revisions.head}: run migrate"
                )
            if reason != logged:
                log.warning("waiting for the schema", reason=reason)
                logged = reason
            await asyncio.sleep(RETRY_SECONDS)


async def read_revision(url: str, schema: str) -> str | None:
    """Return the schema's revision; None if there is no schema, or only one from before its role could read it.

    The connection is a new one: its error tells why the database can't be reached, and the pool stays free.
    """
    options = connection_options("schema check", prepared_statements=False)
    async with await TimeLimitedConnection.connect(url, **options) as connection:
        table = sql.Identifier(schema, "alembic_version")
        try:
            cursor = await connection.execute(sql.SQL("SELECT version_num FROM {}").format(table))
        except (psycopg.errors.UndefinedTable, psycopg.errors.InsufficientPrivilege):
            return None
        row = await cursor.fetchone()
        # The statements of the services name no schema.
        path = await (await connection.execute("SELECT current_schema()")).fetchone()
        if path != (schema,):
            raise WrongSearchPath(schema)
        return str(row[0]) if row else None
