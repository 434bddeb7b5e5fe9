"""The state of a schema, which a service compares with the revisions that it knows before it serves."""

import asyncio
from collections.abc import Collection

import psycopg
import structlog
from psycopg import sql

from chassis.database.connection import TimeLimitedConnection, connection_options
from chassis.database.revisions import RevisionHistory
from chassis.database.schema_state import SchemaState, heads_query, required_query, schema_problem
from chassis.probes.process_status import ProcessStatus

RETRY_SECONDS = 0.5

log = structlog.get_logger("database")


class WrongSearchPath(Exception):
    """The role finds other tables than those of its service's schema."""

    def __init__(self, schema: str) -> None:
        super().__init__(f"the role's search_path does not begin with schema {schema}: run provision")


class SchemaCheck:
    """Check that the database responds, and that its schema fits this release."""

    def __init__(self, url: str, history: RevisionHistory, status: ProcessStatus) -> None:
        self._url = url
        self._history = history
        self._status = status
        self._logged = ""

    async def __call__(self) -> str | None:
        """Return the reason why this release can't serve on the schema, and show it and the revision to operators.

        A service that runs already when the reason arises stays ready: calls that need nothing of what is gone work.
        Raises psycopg.OperationalError.
        """
        try:
            state = await read_schema_state(self._url, self._history.schema)
        except WrongSearchPath as error:
            problem: str | None = str(error)
        else:
            problem = schema_problem(self._history, state)
            self._status.details["schema_revision"] = str(state)
        if problem:
            self._status.details["schema_problem"] = problem
            if self._status.is_ready and problem != self._logged:
                log.error("the schema does not fit this release any more", reason=problem)
                self._logged = problem
        else:
            self._status.details.pop("schema_problem", None)
        return problem

    async def wait_until_migrated(self) -> None:
        """Wait until the schema fits. It has no time limit, since a migration may run at this moment."""
        logged = ""
        while True:
            try:
                reason = await self()
            except psycopg.OperationalError:
                reason = "the database does not respond"
            if reason is None:
                return
            if reason != logged:
                log.warning("waiting for the schema", reason=reason)
                logged = reason
            await asyncio.sleep(RETRY_SECONDS)


async def read_schema_state(url: str, schema: str) -> SchemaState:
    """Return the schema's state. It is empty if there is no schema, or only one from before its role could read it.

    The connection is a new one: its error tells why the database can't be reached, and the pool stays free.
    """
    options = connection_options("schema check", prepared_statements=False)
    async with await TimeLimitedConnection.connect(url, **options) as connection:

        async def column(query: sql.Composed) -> Collection[str]:
            try:
                cursor = await connection.execute(query)
                return [row[0] for row in await cursor.fetchall()]
            except (psycopg.errors.UndefinedTable, psycopg.errors.InsufficientPrivilege):
                return ()

        state = SchemaState(
            heads=frozenset(await column(heads_query(schema))), required=frozenset(await column(required_query(schema)))
        )
        # The statements of the services name no schema.
        path = await (await connection.execute("SELECT current_schema()")).fetchone()
        if state.heads and path != (schema,):
            raise WrongSearchPath(schema)
        return state
