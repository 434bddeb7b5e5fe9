"""Undos go on where they were cut, take turns, and share their work among processes."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from chassis.database.pool import open_pool
from chassis.kernel.errors import Unavailable
from task_service.imports.persistence.unit_of_work import SqlImportsUnitOfWork
from task_service.imports.usecases.sessions import ImportsUnitOfWork
from task_service.imports.usecases.undo import RunUndos

TASKS = 50


def runner(begin: Callable[[], ImportsUnitOfWork]) -> RunUndos:
    return RunUndos(
        begin=begin, now=lambda: datetime.now(UTC), new_id=uuid7, retention=timedelta(days=30), step_size=20
    )


async def asked(database) -> UUID:
    """An import that has made tasks and is to be undone, as a service that died has left it."""
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


async def counted(database) -> tuple[int, int, int, int]:
    """Tasks that are deleted, their entries in history, and what the undos say: deleted, kept."""
    (tasks,) = await database.execute("SELECT count(*) FROM tasks.tasks WHERE deleted_at IS NOT NULL")
    (events,) = await database.execute("SELECT count(*) FROM tasks.task_events WHERE action = 'deleted'")
    (told,) = await database.execute("SELECT sum(deleted)::int, sum(kept)::int FROM tasks.import_undos")
    return tasks[0], events[0], *told


@pytest.mark.parametrize("cut_at", range(1, 6))
async def test_interrupted_undo_resumes_at_its_checkpoint(database, cut_at):
    await asked(database)
    commits = 0

    class Cut(SqlImportsUnitOfWork):
        """Loses its connection at one of the commits."""

        async def commit(self) -> None:
            nonlocal commits
            commits += 1
            if commits == cut_at:
                await self.connection.close()
                raise Unavailable
            await super().commit()

    async with open_pool(database.tasks_url, name="test", size=2) as pool:
        steps = 3
        if cut_at <= steps:
            with pytest.raises(Unavailable):
                await runner(lambda: Cut(pool))()
        else:
            assert await runner(lambda: Cut(pool))() == steps
        done = min(TASKS, 20 * (cut_at - 1))
        assert await counted(database) == (done, done, done, 0)
        await runner(lambda: SqlImportsUnitOfWork(pool))()
    assert await counted(database) == (TASKS, TASKS, TASKS, 0)
    assert await database.execute("SELECT state FROM tasks.import_undos") == [("succeeded",)]


async def test_concurrent_processes_share_undos(database):
    for _ in range(3):
        await asked(database)
    async with open_pool(database.tasks_url, name="test", size=4) as pool:
        steps = await asyncio.gather(*(runner(lambda: SqlImportsUnitOfWork(pool))() for _ in range(4)))
        assert sum(steps) == 9
    assert await counted(database) == (3 * TASKS, 3 * TASKS, 3 * TASKS, 0)


async def test_undos_take_turns(database):
    imports = [await asked(database) for _ in range(2)]
    seen: list[list[tuple[UUID, int]]] = []

    class Looking(SqlImportsUnitOfWork):
        async def commit(self) -> None:
            await super().commit()
            seen.append(await database.execute("SELECT import_id, deleted FROM tasks.import_undos"))

    async with open_pool(database.tasks_url, name="test", size=2) as pool:
        await runner(lambda: Looking(pool))()
    first, second = ([dict(look)[one] for look in seen] for one in imports)
    assert [abs(mine - other) <= 20 for mine, other in zip(first, second, strict=True)] == [True] * 6
