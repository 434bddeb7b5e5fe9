"""Steps of undos: they resume after a crash, take turns, and are shared by processes."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
import pytest
from uuid_utils.compat import uuid7

from chassis.database.pool import open_pool
from chassis.kernel.errors import Unavailable
from chassis.tracing.spans import child_span
from task_service.imports.persistence.unit_of_work import SqlImportsUnitOfWork
from task_service.imports.usecases.undo import RunUndos
from task_service.imports.usecases.unit_of_work import ImportsUnitOfWork

TASKS = 50


def run_undos(begin: Callable[[], ImportsUnitOfWork], *, step_rows: int = 1000) -> RunUndos:
    return RunUndos(
        begin=begin,
        now=lambda: datetime.now(UTC),
        new_id=uuid7,
        retention=timedelta(days=30),
        start_span=child_span,
        step_size=20,
        step_rows=step_rows,
    )


async def insert_undo(database) -> UUID:
    """Insert an import with tasks and a running undo, as a crashed service leaves them."""
    import_id, owner_id = uuid7(), uuid7()
    await database.execute(
        "INSERT INTO tasks.imports (id, owner_id, actor_id, actor_role, request_id, state, file_name, created_at,"
        f" finished_at, rows_created) VALUES ('{import_id}', '{owner_id}', '{owner_id}', 'user', 'r', 'succeeded', 'f',"
        f" now(), now(), {TASKS})"
    )
    rows = ",".join(
        f"('{uuid7()}', '{owner_id}', 'x', '', 'pending', 'none', '{import_id}', now(), now(), 1)" for _ in range(TASKS)
    )
    await database.execute(
        "INSERT INTO tasks.tasks (id, owner_id, title, description, status, priority, import_id, created_at,"
        f" updated_at, revision) VALUES {rows}"
    )
    await database.execute(
        "INSERT INTO tasks.import_undos (import_id, actor_id, actor_role, request_id)"
        f" VALUES ('{import_id}', '{owner_id}', 'user', 'r')"
    )
    return import_id


async def count_undone(database) -> tuple[int, int, int, int]:
    """Return the numbers of deleted tasks and of their events, and the undos' counts of deleted tasks and conflicts."""
    (tasks,) = await database.execute("SELECT count(*) FROM tasks.tasks WHERE deleted_at IS NOT NULL")
    (events,) = await database.execute("SELECT count(*) FROM tasks.task_events WHERE action = 'deleted'")
    (undo_counts,) = await database.execute("SELECT sum(deleted)::int, sum(kept)::int FROM tasks.import_undos")
    return tasks[0], events[0], *undo_counts


@pytest.mark.parametrize("failing_commit", range(1, 6))
async def test_interrupted_undo_resumes_at_its_checkpoint(database, failing_commit):
    await insert_undo(database)
    commits = 0

    class FailingUnitOfWork(SqlImportsUnitOfWork):
        """Unit of work that loses its connection at one of the commits."""

        async def commit(self) -> None:
            nonlocal commits
            commits += 1
            if commits == failing_commit:
                await self.connection.close()
                raise Unavailable
            await super().commit()

    async with open_pool(database.tasks_url, name="test", size=2) as pool:
        steps = 3
        if failing_commit <= steps:
            with pytest.raises(Unavailable):
                await run_undos(lambda: FailingUnitOfWork(pool))()
        else:
            assert await run_undos(lambda: FailingUnitOfWork(pool))() == steps
        done = min(TASKS, 20 * (failing_commit - 1))
        assert await count_undone(database) == (done, done, done, 0)
        await run_undos(lambda: SqlImportsUnitOfWork(pool))()
    assert await count_undone(database) == (TASKS, TASKS, TASKS, 0)
    assert await database.execute("SELECT state FROM tasks.import_undos") == [("succeeded",)]


async def test_concurrent_processes_share_undos(database):
    for _ in range(3):
        await insert_undo(database)
    async with open_pool(database.tasks_url, name="test", size=4) as pool:
        steps = await asyncio.gather(*(run_undos(lambda: SqlImportsUnitOfWork(pool))() for _ in range(4)))
        assert sum(steps) == 9
    assert await count_undone(database) == (3 * TASKS, 3 * TASKS, 3 * TASKS, 0)


async def test_undos_take_turns(database):
    import_ids = [await insert_undo(database) for _ in range(2)]
    progress: list[list[tuple[UUID, int]]] = []

    class RecordingUnitOfWork(SqlImportsUnitOfWork):
        """Unit of work that records the progress after each commit."""

        async def commit(self) -> None:
            await super().commit()
            progress.append(await database.execute("SELECT import_id, deleted FROM tasks.import_undos"))

    async with open_pool(database.tasks_url, name="test", size=2) as pool:
        await run_undos(lambda: RecordingUnitOfWork(pool))()
    first, second = ([dict(entry)[one] for entry in progress] for one in import_ids)
    assert [abs(own - other) <= 20 for own, other in zip(first, second, strict=True)] == [True] * 6


async def test_blocked_undos_delay_no_other(database):
    """Undos whose tasks are locked for a long time do not keep the loop from the undos behind them."""
    blocked = [await insert_undo(database) for _ in range(2)]
    free = await insert_undo(database)
    states = "SELECT import_id, state FROM tasks.import_undos"
    async with open_pool(database.tasks_url, name="test", size=2) as pool:
        async with await psycopg.AsyncConnection.connect(database.administrator_url) as holder:
            await holder.execute("SELECT FROM tasks.tasks WHERE import_id = ANY(%s) FOR UPDATE", [blocked])
            for _ in range(2):
                with pytest.raises(Unavailable):
                    await run_undos(lambda: SqlImportsUnitOfWork(pool))()
                assert dict(await database.execute(states)) == dict.fromkeys(blocked, "running") | {free: "succeeded"}
        assert await run_undos(lambda: SqlImportsUnitOfWork(pool))() == 6
    assert dict(await database.execute(states)) == dict.fromkeys([*blocked, free], "succeeded")


async def test_step_reads_a_bounded_number_of_tasks(database):
    """Other tasks of the owner, from the time of the import, cost steps of their own. None of the import is missed."""
    import_id = await insert_undo(database)
    await database.execute(f"""
        INSERT INTO tasks.tasks (id, owner_id, title, description, status, priority, created_at, updated_at, revision)
        SELECT uuidv7(make_interval(secs => n - 50)), owner_id, 'other', '', 'pending', 'none', now(), now(), 1
        FROM tasks.imports, generate_series(1, 100) n WHERE id = '{import_id}'
    """)
    async with open_pool(database.tasks_url, name="test", size=2) as pool:
        assert await run_undos(lambda: SqlImportsUnitOfWork(pool), step_rows=10)() >= 15
    assert await count_undone(database) == (TASKS, TASKS, TASKS, 0)
