"""Run of a migration: one run at a time, each revision in a transaction of its own, repeated if a lock is not free."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import alembic.command
import alembic.util
import psycopg
import sqlalchemy.exc
import structlog
from alembic import context
from alembic.config import Config
from alembic.runtime.migration import MigrationContext, MigrationInfo
from alembic.script import Script
from sqlalchemy import Connection, Engine, MetaData, create_engine, pool

from chassis.database.connection import SOCKET_OPTIONS
from chassis.database.migration_plan import MigrationError, revisions_to_run
from chassis.database.revisions import Phase, RevisionHistory, phase_of, required_revision
from chassis.database.schema_state import create_compatibility_table, read_as_owner, record_contract

POLL_SECONDS = 0.5

log = structlog.get_logger("migrate")


@dataclass(frozen=True, slots=True)
class LockRetryPolicy:
    """Timeout and retries of a revision that needs a lock which a long transaction holds.

    While a statement waits for a lock, all later calls queue behind it. So the wait is far shorter than
    the deadlines of calls, and the pause between two attempts lets the queue pass.
    """

    timeout_seconds: float = 1.0
    pause_seconds: float = 2.0
    max_attempts: int = 60


DEFAULT_LOCK_RETRIES = LockRetryPolicy()


def upgrade(
    owner_url: str,
    *,
    schema: str,
    app_role: str,
    migrations: Path,
    phase: Phase = Phase.EXPAND,
    until: str | None = None,
    lock_retries: LockRetryPolicy = DEFAULT_LOCK_RETRIES,
) -> None:
    """Run the revisions of a phase that have not run yet, up to the revision `until` if it is given. Safe to repeat.

    Raises:
        MigrationError: the phase can't run now, or a revision has failed. Earlier revisions are kept.
        psycopg.OperationalError: the database does not respond.

    """
    history = RevisionHistory(schema, migrations)
    connect = partial(psycopg.connect, owner_url, application_name="migrate", **SOCKET_OPTIONS)
    engine = create_engine(
        "postgresql+psycopg://", creator=partial(_connect, connect, schema, lock_retries), poolclass=pool.NullPool
    )
    config = Config()
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    config.attributes["schema"] = schema
    with migration_lock(connect, schema) as check_lock, connect(autocommit=True) as connection:
        scripts = revisions_to_run(history, read_as_owner(connection, schema), phase)
        create_compatibility_table(connection, schema, app_role)
        if scripts and phase is Phase.CONTRACT:
            log.warning(
                "contract phase: services of older releases stop working",
                schema=schema,
                required_revision=required_revision(scripts[-1]),
            )
        for script in scripts:
            check_lock()
            _apply(engine, config, script, lock_retries)
            if script.revision == until:
                break
        # The service waits for these revisions at its start.
        connection.execute(f"GRANT SELECT ON {schema}.alembic_version TO {app_role}")


def _connect(
    connect: Callable[..., psycopg.Connection], schema: str, lock_retries: LockRetryPolicy
) -> psycopg.Connection:
    """Open a connection for one attempt. Its settings also hold outside a transaction, where an index is built."""
    connection = connect()
    connection.execute(f"SET search_path TO {schema}")
    connection.execute(f"SET lock_timeout = {int(lock_retries.timeout_seconds * 1000)}")
    # A statement ends soon after its migration was killed, and not when it has done its work.
    connection.execute("SET client_connection_check_interval = 1000")
    connection.commit()
    return connection


def _apply(engine: Engine, config: Config, script: Script, lock_retries: LockRetryPolicy) -> None:
    begin = time.monotonic()
    for attempt in range(1, lock_retries.max_attempts + 1):
        try:
            with engine.connect() as connection:
                config.attributes["connection"] = connection
                alembic.command.upgrade(config, script.revision)
        except sqlalchemy.exc.DBAPIError as error:
            if not isinstance(error.orig, psycopg.errors.LockNotAvailable | psycopg.errors.DeadlockDetected):
                raise MigrationError(f"revision {script.revision}: {_first_line(error.orig)}") from error
            if attempt == lock_retries.max_attempts:
                raise MigrationError(
                    f"revision {script.revision}: no lock in {attempt} attempts. A long transaction holds it:"
                    " docs/upgrades.md tells how to find it. Then run migrate again"
                ) from error
            log.warning(
                "a lock is not free, trying again",
                revision=script.revision,
                attempt=attempt,
                max_attempts=lock_retries.max_attempts,
            )
            time.sleep(lock_retries.pause_seconds)
        except alembic.util.CommandError as error:
            raise MigrationError(f"revision {script.revision}: {_first_line(error)}") from error
        else:
            log.info(
                "revision applied",
                phase=phase_of(script),
                revision=script.revision,
                duration_seconds=round(time.monotonic() - begin, 3),
            )
            return


def _first_line(error: BaseException | None) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


@contextmanager
def migration_lock(connect: Callable[..., psycopg.Connection], schema: str) -> Iterator[Callable[[], object]]:
    """Hold the lock that lets one migration of the schema run. Yield a function that fails if it is lost.

    The lock belongs to a transaction on a connection of its own: it outlives the transactions of the revisions, and
    also holds through pgbouncer. A run that waits asks again and again instead of waiting in Postgres: a statement that
    waits has a snapshot, and CREATE INDEX CONCURRENTLY would wait for the end of it without end.
    """
    with connect() as connection:
        connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
        # The driver would prepare a statement that it repeats. Its portal then stays open, and with it its snapshot.
        connection.prepare_threshold = None
        is_logged = False
        while True:
            connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            row = connection.execute("SELECT pg_try_advisory_xact_lock(hashtext(%s))", [f"migrate.{schema}"]).fetchone()
            if row is not None and row[0]:
                break
            connection.rollback()
            if not is_logged:
                log.info("waiting for another migration of this schema", schema=schema)
                is_logged = True
            time.sleep(POLL_SECONDS)
        yield partial(connection.execute, "SELECT 1")


def run_in_environment(metadata: MetaData) -> None:
    """Run the migrations of the current Alembic environment, on the connection of `upgrade`."""
    schema: str = context.config.attributes["schema"]

    connection: Connection = context.config.attributes["connection"]

    def record(ctx: MigrationContext, step: MigrationInfo, heads: Any, run_args: Any) -> None:  # noqa: ARG001 - Alembic's
        script = step.up_revision
        if isinstance(script, Script) and phase_of(script) is Phase.CONTRACT:
            record_contract(connection, schema, script)

    context.configure(
        connection=connection,
        target_metadata=metadata,
        version_table_schema=schema,
        include_schemas=True,
        transaction_per_migration=True,
        on_version_apply=record,
    )
    with context.begin_transaction():
        context.run_migrations()
