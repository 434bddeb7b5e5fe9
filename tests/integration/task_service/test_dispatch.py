"""Waking workers: who waits is told of again and again, less and less often, and only once that is written down."""

import asyncio

import pytest
import pytest_asyncio
import redis.asyncio

from chassis.database.pool import Pool, open_pool
from deploy.local.valkey import EmbeddedValkey
from task_service.imports.usecases.dispatch import WakeWorkers
from task_service.persistence.unit_of_work import SqlTasksUnitOfWork
from tests.integration.task_service.import_calls import upload

NEW = """
    INSERT INTO tasks.imports (id, owner_id, actor_id, actor_role, request_id, file_name, created_at, state, wake_at,
        lease_until, queued_at)
    SELECT uuidv7(), uuidv7(), uuidv7(), 'user', 'r', 'f', now(), '{state}', {wake_at}, {lease_until}, now()
"""
AT_ONCE = 3
LATER = "now() + interval '1 hour'"
BEFORE = "now() - interval '1 hour'"


@pytest_asyncio.fixture
async def redis_url(tmp_path):
    """A Valkey in which nobody else leaves anything."""
    async with EmbeddedValkey(tmp_path / "valkey") as valkey:
        yield valkey.url


@pytest_asyncio.fixture
async def pool(database):
    async with open_pool(database.tasks_url, name="test", size=2) as opened:
        yield opened


class WakeUps:
    """Those that were published, and how many imports everybody else knew to be woken by then."""

    def __init__(self, database) -> None:
        self._databases = database
        self.published: list[int] = []
        self.written_down: list[int] = []

    async def publish(self, count: int) -> None:
        self.published.append(count)
        ((woken,),) = await self._databases.execute("SELECT count(*) FROM tasks.imports WHERE wakes > 0")
        self.written_down.append(woken)


async def waits_for(pool: Pool) -> list[float]:
    """Wakes what is due; after how many seconds each import is due again."""
    async with SqlTasksUnitOfWork(pool) as work:
        await work.import_queue.mark_woken(AT_ONCE)
        cursor = await work.connection.execute(
            "SELECT extract(epoch FROM wake_at - now())::float FROM tasks.imports ORDER BY id"
        )
        found = [row[0] for row in await cursor.fetchall()]
        await work.commit()
    return found


async def test_what_waits_is_published_once_it_is_written_down_and_again_only_when_it_is_due(database, pool):
    await database.execute(NEW.format(state="queued", wake_at=BEFORE, lease_until="NULL"))
    await database.execute(NEW.format(state="running", wake_at=BEFORE, lease_until=BEFORE))
    wake_ups = WakeUps(database)
    wake = WakeWorkers(begin=lambda: SqlTasksUnitOfWork(pool), wake_ups=wake_ups, at_once=AT_ONCE)
    assert [await wake(), wake_ups.published, wake_ups.written_down] == [2, [2], [2]]
    await database.execute(f"UPDATE tasks.imports SET wake_at = {LATER}")
    assert [await wake(), wake_ups.published] == [0, [2]]
    await database.execute(f"UPDATE tasks.imports SET wake_at = {BEFORE}")
    assert [await wake(), wake_ups.published] == [2, [2, 2]]


@pytest.mark.parametrize(
    ("state", "lease_until"),
    [("running", LATER), ("uploading", "NULL"), ("succeeded", "NULL"), ("failed", BEFORE), ("cancelled", BEFORE)],
)
async def test_nobody_is_woken_for_what_is_being_worked_or_has_ended(database, pool, state, lease_until):
    await database.execute(NEW.format(state=state, wake_at=BEFORE, lease_until=lease_until))
    wake_ups = WakeUps(database)
    assert await WakeWorkers(begin=lambda: SqlTasksUnitOfWork(pool), wake_ups=wake_ups, at_once=AT_ONCE)() == 0
    assert wake_ups.published == []


async def test_who_waits_long_is_told_of_less_and_less_often_up_to_every_ten_seconds(database, pool):
    await database.execute(NEW.format(state="queued", wake_at=BEFORE, lease_until="NULL"))
    waits = []
    for _ in range(7):
        waits += await waits_for(pool)
        await database.execute(f"UPDATE tasks.imports SET wake_at = {BEFORE}")
    assert waits == [1, 2, 4, 8, 10, 10, 10]


async def test_two_dispatchers_at_once_share_what_waits_and_neither_waits_for_the_other(database, pool):
    for _ in range(3):
        await database.execute(NEW.format(state="queued", wake_at=BEFORE, lease_until="NULL"))
    async with SqlTasksUnitOfWork(pool) as first, SqlTasksUnitOfWork(pool) as second:
        assert await first.import_queue.mark_woken(AT_ONCE) == 3
        async with asyncio.timeout(20):
            assert await second.import_queue.mark_woken(AT_ONCE) == 0
        await first.commit()


async def test_an_upload_is_announced_in_the_workers_queue(system, redis_url):
    await upload(system, await system.new_user("sonu"))
    async with redis.asyncio.Redis.from_url(redis_url) as client:
        found = await client.blpop(["imports"], timeout=30)
    assert found is not None
    assert b"import_worker.run_next" in found[1]
