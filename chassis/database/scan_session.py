"""Session for reads whose cost depends on the client's filters."""

from types import TracebackType

from psycopg.errors import QueryCanceled

from chassis.database.unit_of_work import SqlUnitOfWork
from chassis.kernel.errors import QueryTooExpensive

STATEMENT_TIMEOUT_SECONDS = 3


class SqlScanSession(SqlUnitOfWork):
    """Read-only transaction in which a statement has STATEMENT_TIMEOUT_SECONDS. A longer one is QueryTooExpensive.

    All statements see the same rows. Their plans read an index in its order where one exists: without statistics, or
    with old ones, the planner expects few rows of a large owner, and would read and sort all of them.
    """

    # One message, so it costs one round trip.
    begin_sql = (
        "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY;"
        f" SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT_SECONDS}s';"
        " SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off;"
        " SET LOCAL enable_sort = off; SET LOCAL enable_incremental_sort = off"
    )

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, QueryCanceled):
            await super().__aexit__(None, None, None)
            raise QueryTooExpensive(
                cause=f"it was stopped after {STATEMENT_TIMEOUT_SECONDS} seconds",
                remedy="Narrow it with filters such as owner_id or created_after, or use fewer words",
            ) from error
        await super().__aexit__(kind, error, trace)
