"""Wake-ups of workers. Waiting imports are announced repeatedly, at growing intervals, and only after the commit."""

import asyncio
from collections.abc import Sequence

import pytest
import pytest_asyncio
import redis.asyncio

from chassis.database.pool import Pool, open_pool
from task_service.imports.persistence.unit_of_work import SqlImportsUnitOfWork
from task_service.imports.usecases.dispatch import NotifyWorkers
from tests.integration.task_service.import_calls import upload
from tests.support.embedded_servers import EmbeddedValkey

INSERT_IMPORT = """
    INSERT INTO tasks.imports (id, owner_id, actor_id, actor_role, request_id, file_name, created_at, state, wake_at,
        lease_until, queued_at)
    SELECT uuidv7(), uuidv7(), uuidv7(), 'user', 'r', 'f', now(), '{state}', {wake_at}, {lease_until}, now()
"""
MAX_RUNNING = 3
IN_AN_HOUR = "now() + interval '1 hour'"
AN_HOUR_AGO = "now() - interval '1 hour'"


@pytest_asyncio.fixture
async def redis_url(tmp_path):
    """Return the URL of an empty Valkey."""
    async with EmbeddedValkey(tmp_path / "valkey") as valkey:
        yield valkey.url


@pytest_asyncio.fixture
async def pool(database):
    async with open_pool(database.tasks_url, name="test", size=2) as opened:
        yield opened


class FakeWorkerNotifier:
    """Worker notifier that records its calls, and the number of imports that were marked in the database by then."""

    def __init__(self, database) -> None:
        self._database = database
        self.published: list[int] = []
        self.committed_marks: list[int] = []

    async def publish(self, traceparents: Sequence[str]) -> None:
        self.published.append(len(traceparents))
        ((marked,),) = await self._database.execute("SELECT count(*) FROM tasks.imports WHERE wakes > 0")
        self.committed_marks.append(marked)


async def mark_notified(pool: Pool) -> list[float]:
    """Mark the due imports, and return the seconds until each import is due again."""
    async with SqlImportsUnitOfWork(pool) as work:
        await work.import_queue.mark_notified(MAX_RUNNING)
        cursor = await work.connection.execute(
            "SELECT extract(epoch FROM wake_at - now())::float FROM tasks.imports ORDER BY id"
        )
        found = [row[0] for row in await cursor.fetchall()]
        await work.commit()
    return found


async def test_wake_up_is_published_after_commit_and_again_when_due(database, pool):
    await database.execute(INSERT_IMPORT.format(state="queued", wake_at=AN_HOUR_AGO, lease_until="NULL"))
    await database.execute(INSERT_IMPORT.format(state="running", wake_at=AN_HOUR_AGO, lease_until=AN_HOUR_AGO))
    worker_notifier = FakeWorkerNotifier(database)
    notify_workers = NotifyWorkers(
        begin=lambda: SqlImportsUnitOfWork(pool),
        worker_notifier=worker_notifier,
        max_running=MAX_RUNNING,
        is_paused=lambda: False,
    )
    assert [await notify_workers(), worker_notifier.published, worker_notifier.committed_marks] == [2, [2], [2]]
    await database.execute(f"UPDATE tasks.imports SET wake_at = {IN_AN_HOUR}")
    assert [await notify_workers(), worker_notifier.published] == [0, [2]]
    await database.execute(f"UPDATE tasks.imports SET wake_at = {AN_HOUR_AGO}")
    assert [await notify_workers(), worker_notifier.published] == [2, [2, 2]]


@pytest.mark.parametrize(
    ("state", "lease_until"),
    [
        ("running", IN_AN_HOUR),
        ("uploading", "NULL"),
        ("succeeded", "NULL"),
        ("failed", AN_HOUR_AGO),
        ("cancelled", AN_HOUR_AGO),
    ],
)
async def test_running_and_ended_imports_cause_no_wake_up(database, pool, state, lease_until):
    await database.execute(INSERT_IMPORT.format(state=state, wake_at=AN_HOUR_AGO, lease_until=lease_until))
    worker_notifier = FakeWorkerNotifier(database)
    assert (
        await NotifyWorkers(
            begin=lambda: SqlImportsUnitOfWork(pool),
            worker_notifier=worker_notifier,
            max_running=MAX_RUNNING,
            is_paused=lambda: False,
        )()
        == 0
    )
    assert worker_notifier.published == []


async def test_wake_ups_back_off_to_ten_seconds(database, pool):
    await database.execute(INSERT_IMPORT.format(state="queued", wake_at=AN_HOUR_AGO, lease_until="NULL"))
    waits = []
    for _ in range(7):
        waits += await mark_notified(pool)
        await database.execute(f"UPDATE tasks.imports SET wake_at = {AN_HOUR_AGO}")
    assert waits == [1, 2, 4, 8, 10, 10, 10]


async def test_concurrent_dispatchers_share_the_queue_without_waiting(database, pool):
    for _ in range(3):
        await database.execute(INSERT_IMPORT.format(state="queued", wake_at=AN_HOUR_AGO, lease_until="NULL"))
    async with SqlImportsUnitOfWork(pool) as first, SqlImportsUnitOfWork(pool) as second:
        assert len(await first.import_queue.mark_notified(MAX_RUNNING)) == 3
        async with asyncio.timeout(20):
            assert await second.import_queue.mark_notified(MAX_RUNNING) == []
        await first.commit()


async def test_upload_publishes_a_message_for_the_workers(system, redis_url):
    await upload(system, await system.new_user("sonu"))
    async with redis.asyncio.Redis.from_url(redis_url) as client:
        message = await client.blpop(["imports"], timeout=30)
    assert message is not None
    assert b"import_worker.run_next" in message[1]
