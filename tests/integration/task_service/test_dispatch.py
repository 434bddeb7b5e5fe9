"""Waking workers: who waits is told of again and again, less and less often, and only once that is written down."""

import asyncio

import pytest
import pytest_asyncio
import redis.asyncio

from chassis.database.pool import Pool, open_pool
from deploy.local.servers.valkey import EmbeddedValkey
from task_service.imports.persistence.unit_of_work import SqlImportsUnitOfWork
from task_service.imports.usecases.dispatch import NotifyWorkers
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


class WorkerNotifier:
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
    async with SqlImportsUnitOfWork(pool) as work:
        await work.import_queue.mark_notified(AT_ONCE)
        cursor = await work.connection.execute(
            "SELECT extract(epoch FROM wake_at - now())::float FROM tasks.imports ORDER BY id"
        )
        found = [row[0] for row in await cursor.fetchall()]
        await work.commit()
    return found


async def test_wake_up_is_published_after_commit_and_again_when_due(database, pool):
    await database.execute(NEW.format(state="queued", wake_at=BEFORE, lease_until="NULL"))
    await database.execute(NEW.format(state="running", wake_at=BEFORE, lease_until=BEFORE))
    worker_notifier = WorkerNotifier(database)
    wake = NotifyWorkers(begin=lambda: SqlImportsUnitOfWork(pool), worker_notifier=worker_notifier, max_running=AT_ONCE)
    assert [await wake(), worker_notifier.published, worker_notifier.written_down] == [2, [2], [2]]
    await database.execute(f"UPDATE tasks.imports SET wake_at = {LATER}")
    assert [await wake(), worker_notifier.published] == [0, [2]]
    await database.execute(f"UPDATE tasks.imports SET wake_at = {BEFORE}")
    assert [await wake(), worker_notifier.published] == [2, [2, 2]]


@pytest.mark.parametrize(
    ("state", "lease_until"),
    [("running", LATER), ("uploading", "NULL"), ("succeeded", "NULL"), ("failed", BEFORE), ("cancelled", BEFORE)],
)
async def test_nobody_is_woken_for_what_is_being_worked_or_has_ended(database, pool, state, lease_until):
    await database.execute(NEW.format(state=state, wake_at=BEFORE, lease_until=lease_until))
    worker_notifier = WorkerNotifier(database)
    assert (
        await NotifyWorkers(
            begin=lambda: SqlImportsUnitOfWork(pool), worker_notifier=worker_notifier, max_running=AT_ONCE
        )()
        == 0
    )
    assert worker_notifier.published == []


async def test_wake_ups_back_off_to_ten_seconds(database, pool):
    await database.execute(NEW.format(state="queued", wake_at=BEFORE, lease_until="NULL"))
    waits = []
    for _ in range(7):
        waits += await waits_for(pool)
        await database.execute(f"UPDATE tasks.imports SET wake_at = {BEFORE}")
    assert waits == [1, 2, 4, 8, 10, 10, 10]


async def test_concurrent_dispatchers_share_the_queue_without_waiting(database, pool):
    for _ in range(3):
        await database.execute(NEW.format(state="queued", wake_at=BEFORE, lease_until="NULL"))
    async with SqlImportsUnitOfWork(pool) as first, SqlImportsUnitOfWork(pool) as second:
        assert await first.import_queue.mark_notified(AT_ONCE) == 3
        async with asyncio.timeout(20):
            assert await second.import_queue.mark_notified(AT_ONCE) == 0
        await first.commit()


async def test_an_upload_is_announced_in_the_workers_queue(system, redis_url):
    await upload(system, await system.new_user("sonu"))
    async with redis.asyncio.Redis.from_url(redis_url) as client:
        found = await client.blpop(["imports"], timeout=30)
    assert found is not None
    assert b"import_worker.run_next" in found[1]
