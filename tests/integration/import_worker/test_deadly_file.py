"""A file that kills its worker every time ends as failed, and nobody else's import is the worse for it."""

import asyncio

import pytest
from taskmanager.imports.v1 import import_pb2, import_service_pb2

from deploy.local.valkey import EmbeddedValkey
from task_service.imports.usecases.ingest import MOST_FRUITLESS_CLAIMS
from tests.support.crashing_rows import CRASHING_CELL, crashing_environment
from tests.support.system import Principal, System, new_credential
from tests.integration.import_worker.test_worker_process import Worker, running_worker
from tests.integration.task_service.import_calls import upload

BATCH = 200
BEFORE = 3_000  # more than the batches that a worker has on their way without an answer
FILE = "title\n" + "".join(f"Task {number}\n" for number in range(BEFORE)) + f"{CRASHING_CELL}\nNever reached\n"


@pytest.fixture
async def redis_url(tmp_path):
    async with EmbeddedValkey(tmp_path / "valkey") as valkey:
        yield valkey.url


@pytest.fixture
async def worker(system: System, redis_url, tmp_path):
    """The only worker there is; it is started again by nobody but its own pool."""
    async with running_worker(
        redis_url,
        system.tasks_target,
        tmp_path,
        IMPORT_WORKER_AUTH_TARGET=system.auth_target,
        IMPORT_WORKER_AUTH_CREDENTIAL=await new_credential(system.use_cases, "import_worker", "imports:ingest"),
        IMPORT_WORKER_BATCH_ROWS=str(BATCH),
        **crashing_environment(),
    ) as running:
        yield running


async def finished(system: System, person: Principal, import_id: str) -> import_pb2.Import:
    request = import_service_pb2.WatchImportRequest(id=import_id)
    async with asyncio.timeout(120):
        *_, last = [one async for one in system.imports.WatchImport(request, metadata=person.metadata)]
    return last


def claims_of(worker: Worker, import_id: str) -> list[int]:
    """The offsets that its workers began at."""
    return [line["offset"] for line in worker.said if line["event"] == "claimed" and line["import_id"] == import_id]


async def test_a_file_that_kills_its_worker_every_time_fails_and_the_rows_before_it_stay(system, worker, database):
    sonu, mina = await system.new_user("sonu"), await system.new_user("mina")
    deadly = await upload(system, sonu, FILE.encode())
    owners = (mina, sonu, mina)
    harmless = [await upload(system, owner, b"title\n" + b"A row\n" * 2_000) for owner in owners]
    for queued, owner in zip(harmless, owners, strict=True):
        done = await finished(system, owner, queued.id)
        assert (done.state, done.rows_created) == (import_pb2.Import.STATE_SUCCEEDED, 2_000)
    failed = await finished(system, sonu, deadly.id)
    assert (failed.state, failed.failure.code) == (import_pb2.Import.STATE_FAILED, "NO_PROGRESS")
    assert failed.rows_failed == 0
    assert 0 < failed.rows_created <= BEFORE
    assert failed.rows_created % BATCH == 0
    kept = await database.execute(
        f"SELECT count(*), count(DISTINCT title), max(substring(title FROM 6)::int) FROM tasks.tasks"
        f" WHERE import_id = '{deadly.id}'"
    )
    assert kept == [(failed.rows_created, failed.rows_created, failed.rows_created - 1)]
    # Five workers in a row died without getting any further than the ones before.
    claims = claims_of(worker, deadly.id)
    assert claims[-MOST_FRUITLESS_CLAIMS:] == [failed.bytes_read] * MOST_FRUITLESS_CLAIMS
    assert claims.count(failed.bytes_read) == MOST_FRUITLESS_CLAIMS
    # The pool is none the worse for it.
    last = await upload(system, mina, b"title\nAfter all that\n")
    assert (await finished(system, mina, last.id)).state == import_pb2.Import.STATE_SUCCEEDED
