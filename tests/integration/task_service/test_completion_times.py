"""Time of completion in a row of an import: of tasks, their events, statistics and undo."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from taskmanager.imports.v1 import import_pb2, import_service_pb2
from taskmanager.tasks.v1 import task_pb2, task_service_pb2
from uuid_utils.compat import uuid7

from chassis.database.pool import Pool, open_pool
from chassis.kernel.clock import utc_now
from task_service.imports.domain.duplicates import KeyedRow
from task_service.imports.domain.imports import Checkpoint
from task_service.imports.domain.rows.batch import Batch
from task_service.imports.domain.rows.row_selection import EVERY_ROW
from task_service.imports.persistence.row_encoder import encode_rows
from task_service.imports.persistence.unit_of_work import SqlImportsUnitOfWork
from task_service.imports.usecases.ingest import IngestBatch
from task_service.imports.usecases.leases import RenewLease
from task_service.imports.usecases.prepared_batch import PreparedBatch
from task_service.imports.usecases.write_rows import WriteRows
from task_service.tasks.domain.task import TaskDraft, Values
from tests.integration.task_service import calls
from tests.integration.task_service.calls import create, events_of, update
from tests.integration.task_service.import_calls import END, Worker, get, upload
from tests.support.replay import assert_events_give_every_task
from tests.support.user_directory import FakeUserDirectory

UPDATE = import_service_pb2.UploadOptions.ON_DUPLICATE_UPDATE
COMPLETED = task_pb2.Task.STATUS_COMPLETED
UNDO_SUCCEEDED = import_pb2.Import.Undo.STATE_SUCCEEDED
LAST_YEAR = datetime(2025, 5, 17, 8, 30, 0, 250_001, tzinfo=UTC)


def row(title: str, completed_at: datetime | None, *, status: str = "completed", external_id: str = "") -> Values:
    values = TaskDraft(title=title, status=status, external_id=external_id).validate()
    return values._replace(completed_at=completed_at)


@dataclass(frozen=True)
class Importer:
    """Import of validated rows, from the claim to the end."""

    system: Any
    worker: Worker
    pool: Pool

    async def __call__(self, user, *rows: Values) -> import_pb2.Import:
        queued = await upload(self.system, user, b"title,status\n" + b"x" * 100, on_duplicate=UPDATE)
        lease = await self.worker.claim()
        assert lease is not None

        def begin() -> SqlImportsUnitOfWork:
            return SqlImportsUnitOfWork(self.pool)

        checkpoint, context = await RenewLease(begin, 15)(UUID(lease.import_id), lease.fence)
        end = Checkpoint(checkpoint.offset + 5, checkpoint.line + len(rows), len(rows))
        keyed = [
            KeyedRow(index, index, values, values._asdict()) for index, values in enumerate(rows) if values.external_id
        ]
        source = Batch(checkpoint, end, range(len(rows)), (), {})
        encoded = [encode_rows(context, rows)]
        batch = PreparedBatch(source=source, selection=EVERY_ROW, accepted=list(rows), rows=encoded, keyed=keyed)
        write_rows = WriteRows(encode_rows=encode_rows, now=utc_now, new_id=uuid7)
        ingest_batch = IngestBatch(begin, FakeUserDirectory(), write_rows, 15)
        await ingest_batch(context, lease.fence, batch, lambda: None)
        await self.worker.stream(lease, END)
        return await get(self.system, user, queued.id)


@pytest_asyncio.fixture
async def import_rows(system, worker, database):
    """Function that imports rows and returns the ended import."""
    async with open_pool(database.tasks_url, name="test", size=2) as pool:
        yield Importer(system, worker, pool)


async def tasks_by_title(system, user) -> dict[str, task_pb2.Task]:
    tasks = [await calls.get(system, user, task_id) for task_id in await calls.list_ids(system, user)]
    return {task.title: task for task in tasks}


def time_of(timestamp) -> datetime:
    return timestamp.ToDatetime(tzinfo=UTC)


def changes_of(event) -> dict[str, tuple[str, str]]:
    return {change.field: (change.old, change.new) for change in event.changes}


async def test_created_task_has_the_time_of_the_row(system, sonu, import_rows, database):
    start = utc_now().replace(microsecond=0)
    await import_rows(
        sonu, row("old", LAST_YEAR), row("now", None), row("open", LAST_YEAR, status="pending", external_id="A")
    )
    found = await tasks_by_title(system, sonu)
    assert time_of(found["old"].completed_at) == LAST_YEAR
    assert time_of(found["old"].created_at) >= start
    assert found["now"].completed_at == found["now"].created_at
    assert not found["open"].HasField("completed_at")
    events = {title: changes_of((await events_of(system, sonu, task.id))[0]) for title, task in found.items()}
    assert events["old"]["completed_at"] == ("", "2025-05-17T08:30:00.250001Z")
    assert not {"completed_at"} & (events["now"].keys() | events["open"].keys())
    assert assert_events_give_every_task(database.administrator_url) == 3


async def test_completion_counts_on_its_own_day(system, sonu, import_rows):
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    await import_rows(
        sonu,
        row("late", today - timedelta(microseconds=1)),
        row("early", today),
        row("open", today - timedelta(days=1), status="pending"),
        row("before", today - timedelta(days=40)),
    )
    request = task_service_pb2.GetTaskStatsRequest(days=2)
    found = (await system.tasks.GetTaskStats(request, metadata=sonu.metadata)).completed_per_day
    assert [(day.date, day.count) for day in found] == [
        ((today - timedelta(days=1)).date().isoformat(), 1),
        (today.date().isoformat(), 1),
    ]


async def test_same_file_again_changes_nothing(system, sonu, import_rows):
    rows = [row("a", LAST_YEAR, external_id="A"), row("b", LAST_YEAR, status="cancelled", external_id="B")]
    await import_rows(sonu, *rows)
    before = await tasks_by_title(system, sonu)
    again = await import_rows(sonu, *rows)
    assert (again.rows_created, again.rows_updated, again.rows_unchanged) == (0, 0, 2)
    without_time = await import_rows(sonu, row("a", None, external_id="A"))
    assert without_time.rows_unchanged == 1
    assert await tasks_by_title(system, sonu) == before


async def test_update_takes_the_time_of_the_row(system, sonu, import_rows, database):
    task = await create(system, sonu, title="a", external_id="A")
    finished = await import_rows(
        sonu,
        row("a", LAST_YEAR, external_id="A"),
        row("a", LAST_YEAR + timedelta(days=1), external_id="A"),
        row("a", LAST_YEAR, status="cancelled", external_id="A"),
        row("a", None, external_id="A"),
    )
    assert finished.rows_updated == 4
    _, first, second, third, fourth = await events_of(system, sonu, task.id)
    assert changes_of(first) == {
        "status": ("pending", "completed"),
        "completed_at": ("", "2025-05-17T08:30:00.250001Z"),
    }
    assert changes_of(second) == {"completed_at": ("2025-05-17T08:30:00.250001Z", "2025-05-18T08:30:00.250001Z")}
    assert changes_of(third) == {"status": ("completed", "cancelled")}
    assert changes_of(fourth) == {"status": ("cancelled", "completed")}
    found = await calls.get(system, sonu, task.id)
    assert found.completed_at == found.updated_at == fourth.occurred_at
    assert assert_events_give_every_task(database.administrator_url) == 5


async def test_reopened_task_loses_the_imported_time(system, sonu, import_rows, database):
    await import_rows(sonu, row("a", LAST_YEAR))
    (task,) = (await tasks_by_title(system, sonu)).values()
    kept = await update(system, sonu, task.id, title="b")
    assert time_of(kept.completed_at) == LAST_YEAR
    assert not (await update(system, sonu, task.id, status=task_pb2.Task.STATUS_PENDING)).HasField("completed_at")
    done = await update(system, sonu, task.id, status=COMPLETED)
    assert done.completed_at == done.updated_at
    assert assert_events_give_every_task(database.administrator_url) == 4


@pytest.mark.parametrize("status", [COMPLETED, task_pb2.Task.STATUS_PENDING])
async def test_undo_restores_the_time_of_completion(system, sonu, import_rows, database, status):
    before = await create(system, sonu, title="a", external_id="A", status=status)
    finished = await import_rows(sonu, row("a", LAST_YEAR, external_id="A"), row("b", LAST_YEAR))
    assert time_of((await calls.get(system, sonu, before.id)).completed_at) == LAST_YEAR
    await system.imports.UndoImport(import_service_pb2.UndoImportRequest(id=finished.id), metadata=sonu.metadata)
    request = import_service_pb2.WatchImportRequest(id=finished.id)
    *_, ended = [found async for found in system.imports.WatchImport(request, metadata=sonu.metadata)]
    assert (ended.undo.state, ended.undo.restored, ended.undo.deleted) == (UNDO_SUCCEEDED, 1, 1)
    after = await calls.get(system, sonu, before.id)
    assert (after.status, after.completed_at) == (status, before.completed_at)
    assert assert_events_give_every_task(database.administrator_url) == 5


async def test_clients_cannot_set_the_time_of_completion(system, sonu):
    task = await create(system, sonu, title="a", status=COMPLETED, completed_at=LAST_YEAR)
    assert task.completed_at == task.created_at
    changed = await update(system, sonu, task.id, mask=["*"], title="b", status=COMPLETED, completed_at=LAST_YEAR)
    assert changed.completed_at == task.completed_at
