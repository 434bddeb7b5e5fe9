"""A file that crashes every worker that reads it."""

import asyncio

import pytest
from taskmanager.imports.v1 import import_pb2, import_service_pb2

from task_service.imports.usecases.leases import MAX_ATTEMPTS_WITHOUT_PROGRESS
from tests.integration.import_worker.worker_process import Worker, running_worker
from tests.integration.task_service.import_calls import upload
from tests.support.crashing_rows import CRASHING_CELL, crashing_environment
from tests.support.system import Principal, System, new_credential

BATCH = 200
ROWS_BEFORE = 3_000  # more than the batches that a worker may send without an acknowledgement
FILE = "title\n" + "".join(f"Task {number}\n" for number in range(ROWS_BEFORE)) + f"{CRASHING_CELL}\nNever reached\n"


@pytest.fixture
async def worker(system: System, redis_url):
    """The only worker. Its pool starts a new child after a crash."""
    async with running_worker(
        redis_url,
        system.tasks_target,
        IMPORT_WORKER_AUTH_TARGET=system.auth_target,
        IMPORT_WORKER_AUTH_CREDENTIAL=await new_credential(system.use_cases, "import_worker", "imports:ingest"),
        IMPORT_WORKER_MAX_BATCH_ROWS=str(BATCH),
        **crashing_environment(),
    ) as running:
        yield running


async def wait_until_finished(system: System, person: Principal, import_id: str) -> import_pb2.Import:
    request = import_service_pb2.WatchImportRequest(id=import_id)
    async with asyncio.timeout(120):
        *_, last = [state async for state in system.imports.WatchImport(request, metadata=person.metadata)]
    return last


def claims_of(worker: Worker, import_id: str) -> list[int]:
    """Return the offsets at which workers claimed the import."""
    return [
        line["offset"] for line in worker.log_lines if line["event"] == "claimed" and line["import_id"] == import_id
    ]


async def test_file_that_crashes_its_workers_fails(system, worker, database):
    """A file that kills its worker every time fails, its earlier rows stay, and other imports are not affected."""
    sonu, mina = await system.new_user("sonu"), await system.new_user("mina")
    crashing = await upload(system, sonu, FILE.encode())
    owners = (mina, sonu, mina)
    harmless = [await upload(system, owner, b"title\n" + b"A row\n" * 2_000) for owner in owners]
    for queued, owner in zip(harmless, owners, strict=True):
        done = await wait_until_finished(system, owner, queued.id)
        assert (done.state, done.rows_created) == (import_pb2.Import.STATE_SUCCEEDED, 2_000)
    failed = await wait_until_finished(system, sonu, crashing.id)
    assert (failed.state, failed.failure.code) == (import_pb2.Import.STATE_FAILED, "NO_PROGRESS")
    assert failed.rows_failed == 0
    assert 0 < failed.rows_created <= ROWS_BEFORE
    assert failed.rows_created % BATCH == 0
    imported = await database.execute(
        f"SELECT count(*), count(DISTINCT title), max(substring(title FROM 6)::int) FROM tasks.tasks"
        f" WHERE import_id = '{crashing.id}'"
    )
    assert imported == [(failed.rows_created, failed.rows_created, failed.rows_created - 1)]
    # The last workers died without progress.
    claims = claims_of(worker, crashing.id)
    assert claims[-MAX_ATTEMPTS_WITHOUT_PROGRESS:] == [failed.bytes_read] * MAX_ATTEMPTS_WITHOUT_PROGRESS
    assert claims.count(failed.bytes_read) == MAX_ATTEMPTS_WITHOUT_PROGRESS
    # The pool still works.
    last = await upload(system, mina, b"title\nLast row\n")
    assert (await wait_until_finished(system, mina, last.id)).state == import_pb2.Import.STATE_SUCCEEDED
