"""Steps of a migration that let services go on reading and writing a large table (docs/upgrades.md).

A step commits on its own, not with its revision. It is safe to repeat, and so must be the rest of its revision.
Names without a schema are those of the service's schema: `upgrade` sets the search path.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from alembic import op
from sqlalchemy import text

log = structlog.get_logger("migrate")


def create_index_concurrently(name: str, *, on: str, unique: bool = False) -> None:
    """Create an index without a lock that writers wait for. `on` has table and columns: `tasks (owner_id)`.

    A build that failed or was killed leaves an invalid index, which costs writes and serves no read. It is dropped.
    """
    with op.get_context().autocommit_block(), _unlimited_wait():
        if not op.get_context().as_sql and _is_invalid(name):
            log.warning("dropping an index that an earlier run has left unfinished", index=name)
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
        op.execute(f"CREATE {'UNIQUE ' if unique else ''}INDEX CONCURRENTLY IF NOT EXISTS {name} ON {on}")


def drop_index_concurrently(name: str) -> None:
    """Drop an index without a lock that readers and writers wait for."""
    with op.get_context().autocommit_block(), _unlimited_wait():
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")


def execute_in_batches(statement: str) -> None:
    """Run an UPDATE or DELETE again and again, each in a transaction of its own, until it changes no row.

    The statement selects the rows that are still to do, and limits their number: row locks are then short, and a
    repeated run goes on where the last one stopped.
    """
    with op.get_context().autocommit_block():
        if op.get_context().as_sql:
            op.execute(statement)
            return
        while op.get_bind().execute(text(statement)).rowcount:
            pass


@contextmanager
def _unlimited_wait() -> Iterator[None]:
    """Let statements wait for locks without limit. No reader or writer queues behind those of a concurrent build."""
    if op.get_context().as_sql:
        yield
        return
    limit = op.get_bind().exec_driver_sql("SHOW lock_timeout").scalar_one()
    op.execute("SET lock_timeout = 0")
    try:
        yield
    finally:
        # The revision may go on after a failure, unless the connection is lost.
        if not op.get_bind().invalidated:
            op.execute(f"SET lock_timeout = '{limit}'")


def _is_invalid(name: str) -> bool:
    query = text("SELECT 1 FROM pg_index WHERE indexrelid = to_regclass(:name) AND NOT indisvalid")
    return op.get_bind().execute(query, {"name": name}).first() is not None
