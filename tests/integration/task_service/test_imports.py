"""Imports through the front door: uploads, leases, batches and what their owner sees."""

import asyncio
import base64
import hashlib
from datetime import UTC, datetime, timedelta
from uuid import UUID

import grpc
import psycopg
import pytest
from taskmanager.imports.v1 import import_ingest_service_pb2 as ingest_pb2
from taskmanager.imports.v1 import import_pb2, import_service_pb2
from taskmanager.tasks.v1 import history_service_pb2, task_service_pb2

from chassis.database.pool import open_pool
from chassis.rpc.errors import details_of
from task_service.clients.object_store import ObstoreUploads
from task_service.persistence.unit_of_work import SqlTasksReading, SqlTasksUnitOfWork
from task_service.usecases.uploads import SweepUploads, forget_upload, object_key

FILE = b"Subject;description;Status\nBuy milk;2 litres;pending\nCall mum;;in-progress\n"


async def messages(data: bytes, *, finish: bool = True, **options):
    yield import_service_pb2.UploadImportRequest(options=import_service_pb2.UploadOptions(**options))
    for begin in range(0, len(data), 7):
        yield import_service_pb2.UploadImportRequest(chunk=data[begin : begin + 7])
    if finish:
        yield import_service_pb2.UploadImportRequest(finish=import_service_pb2.UploadFinish(size=len(data)))


async def upload(system, person, data: bytes = FILE, **options) -> import_pb2.Import:
    options = {"allow_same_file": True} | options
    return await system.imports.UploadImport(messages(data, **options), metadata=person.metadata)


async def refused(call) -> tuple[grpc.StatusCode, str, str]:
    """The status, the reason and the message of a call that must fail."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    status = details_of(caught.value)
    return status.code, status.reason, status.message


async def get(system, person, import_id: str) -> import_pb2.Import:
    return await system.imports.GetImport(import_service_pb2.GetImportRequest(id=import_id), metadata=person.metadata)


class Worker:
    """A worker's side of the protocol, one step at a time."""

    def __init__(self, system, person) -> None:
        self.system, self.metadata = system, person.metadata

    async def claim(self) -> ingest_pb2.Lease | None:
        """The next lease. A row that is just being marked as woken is passed over: a worker would be woken again."""
        for _ in range(20):
            answer = await self.system.ingest.ClaimNextImport(
                ingest_pb2.ClaimNextImportRequest(worker="test"), metadata=self.metadata
            )
            if answer.HasField("lease"):
                return answer.lease
        return None

    async def read(self, lease: ingest_pb2.Lease, offset: int) -> bytes:
        request = ingest_pb2.ReadUploadRequest(import_id=lease.import_id, fence=lease.fence, offset=offset)
        return b"".join([part.chunk async for part in self.system.ingest.ReadUpload(request, metadata=self.metadata)])

    async def stream(self, lease: ingest_pb2.Lease, *requests: ingest_pb2.IngestRowsRequest):
        opened = ingest_pb2.IngestOpen(import_id=lease.import_id, fence=lease.fence)

        async def said():
            yield ingest_pb2.IngestRowsRequest(open=opened)
            for request in requests:
                yield request

        return [answer async for answer in self.system.ingest.IngestRows(said(), metadata=self.metadata)]


def batch(begin: ingest_pb2.Checkpoint, *rows: list[str], size: int, defects=()) -> ingest_pb2.IngestRowsRequest:
    end = ingest_pb2.Checkpoint(
        offset=begin.offset + size, line=begin.line + len(rows), records=begin.records + len(rows)
    )
    return ingest_pb2.IngestRowsRequest(
        batch=ingest_pb2.RowBatch(
            begin=begin,
            end=end,
            lines=[begin.line + number for number in range(len(rows))],
            cells=[cell for row in rows for cell in row],
            defects=defects,
        )
    )


END = ingest_pb2.IngestRowsRequest(finish=ingest_pb2.IngestFinish(end_of_file=ingest_pb2.EndOfFile()))
GIVE_BACK = ingest_pb2.IngestRowsRequest(finish=ingest_pb2.IngestFinish(give_back=ingest_pb2.GiveBack()))


@pytest.fixture
async def worker(system):
    return Worker(system, await system.service("imports:ingest"))


async def test_an_upload_is_stored_and_queued_and_a_worker_turns_it_into_tasks(system, worker):
    sonu = await system.person("sonu")
    queued = await upload(system, sonu, file_name="todo.csv")
    assert queued.state == import_pb2.Import.STATE_QUEUED
    assert (queued.file_name, queued.bytes_total, queued.owner_id) == ("todo.csv", len(FILE), sonu.id)

    lease = await worker.claim()
    assert (lease.dialect.delimiter, lease.dialect.columns, lease.size) == (";", 3, len(FILE))
    assert await worker.read(lease, 0) == FILE
    assert await worker.read(lease, lease.checkpoint.offset) == FILE[lease.checkpoint.offset :]
    rows = ["Buy milk", "2 litres", "pending"], ["Call mum", "", "in-progress"]
    size = len(FILE) - lease.checkpoint.offset
    answers = await worker.stream(lease, batch(lease.checkpoint, *rows, size=size), END)
    assert [answer.checkpoint.records for answer in answers] == [0, 2, 2]
    assert answers[-1].finished

    done = await get(system, sonu, queued.id)
    assert done.state == import_pb2.Import.STATE_SUCCEEDED
    assert (done.rows_read, done.rows_created, done.rows_failed, done.bytes_read) == (2, 2, 0, len(FILE))
    page = await system.tasks.ListTasks(task_service_pb2.ListTasksRequest(import_id=queued.id), metadata=sonu.metadata)
    assert {task.title for task in page.tasks} == {"Buy milk", "Call mum"}
    events = await system.history.ListTaskEvents(
        history_service_pb2.ListTaskEventsRequest(task_id=page.tasks[0].id), metadata=sonu.metadata
    )
    assert [event.actor_id for event in events.events] == [sonu.id]


async def test_a_batch_without_rows_moves_the_checkpoint_over_blank_lines(system, worker):
    sonu = await system.person("sonu")
    queued = await upload(system, sonu, b"title\n" + b"\n" * 100 + b"Buy milk\n")
    lease = await worker.claim()
    blank = batch(lease.checkpoint, size=100)
    blank.batch.end.line += 100
    answers = await worker.stream(lease, blank, batch(blank.batch.end, ["Buy milk"], size=9), END)
    assert [answer.checkpoint.offset for answer in answers] == [6, 106, 115, 115]
    done = await get(system, sonu, queued.id)
    assert (done.state, done.rows_created, done.bytes_read) == (import_pb2.Import.STATE_SUCCEEDED, 1, 115)


async def test_wrong_rows_are_counted_and_listed_and_the_rows_around_them_imported(system, worker):
    sonu = await system.person("sonu")
    queued = await upload(system, sonu)
    lease = await worker.claim()
    rows = ["Good", "", ""], ["", "a\0b", "doing"], ["Cut", "", ""], ["B�d", "", ""], ["Also good", "", "completed"]
    kinds = ingest_pb2.RowDefect.Kind
    defects = [
        ingest_pb2.RowDefect(row=2, kind=kinds.KIND_TOO_MANY_CELLS, cell=5),
        ingest_pb2.RowDefect(row=3, kind=kinds.KIND_UNDECODABLE, cell=0),
    ]
    await worker.stream(lease, batch(lease.checkpoint, *rows, size=10, defects=defects), END)
    done = await get(system, sonu, queued.id)
    assert (done.rows_read, done.rows_created, done.rows_failed) == (5, 2, 3)
    errors = []
    token = ""
    while True:
        page = await system.imports.ListImportErrors(
            import_service_pb2.ListImportErrorsRequest(import_id=queued.id, page_size=2, page_token=token),
            metadata=sonu.metadata,
        )
        errors += [(error.line, error.record, error.column, error.code, error.value) for error in page.errors]
        token = page.next_page_token
        if not token:
            break
    assert errors == [
        (3, 2, "title", "BLANK_TITLE", ""),
        (3, 2, "description", "FORBIDDEN_CHARACTER", "a␀b"),
        (3, 2, "status", "UNKNOWN_STATUS", "doing"),
        (4, 3, "", "TOO_MANY_CELLS", ""),
        (5, 4, "title", "UNDECODABLE_BYTES", "B�d"),
    ]


async def test_a_batch_that_was_committed_is_refused_when_it_is_sent_again(system, worker):
    sonu = await system.person("sonu")
    queued = await upload(system, sonu)
    lease = await worker.claim()
    first = batch(lease.checkpoint, ["a", "", ""], size=5)
    await worker.stream(lease, first)
    assert (await refused(worker.stream(lease, first)))[:2] == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "BATCH_OUT_OF_PLACE",
    )
    (reopened,) = await worker.stream(lease)
    assert reopened.checkpoint.records == 1
    assert (await get(system, sonu, queued.id)).rows_created == 1


async def test_whoever_lost_the_lease_writes_nothing_more(system, worker):
    sonu = await system.person("sonu")
    queued = await upload(system, sonu)
    old = await worker.claim()
    await worker.stream(old, GIVE_BACK)
    new = await worker.claim()
    assert (new.import_id, new.fence) == (old.import_id, old.fence + 1)
    for attempt in (
        worker.stream(old, batch(old.checkpoint, ["a", "", ""], size=5)),
        worker.stream(old, END),
        worker.read(old, 0),
    ):
        assert (await refused(attempt))[:2] == (grpc.StatusCode.FAILED_PRECONDITION, "LEASE_LOST")
    assert (await get(system, sonu, queued.id)).rows_created == 0


async def test_an_expired_lease_is_claimed_by_another_worker(system, worker, databases):
    sonu = await system.person("sonu")
    await upload(system, sonu)
    first = await worker.claim()
    assert await worker.claim() is None
    await databases.execute("UPDATE tasks.imports SET lease_until = now() - interval '1 s'")
    second = await worker.claim()
    assert second.fence == first.fence + 1


async def test_two_workers_never_claim_the_same_import(system, worker):
    sonu = await system.person("sonu")
    for _ in range(3):
        await upload(system, sonu)
    leases = await asyncio.gather(*(worker.claim() for _ in range(10)))
    claimed = [lease.import_id for lease in leases if lease]
    assert len(claimed) == len(set(claimed)) == 3


async def test_the_owner_with_the_fewest_running_imports_comes_first(system, worker):
    sonu, mina = await system.person("sonu"), await system.person("mina")
    for _ in range(3):
        await upload(system, sonu)
    waiting = await upload(system, mina)
    await worker.claim()
    assert (await worker.claim()).import_id == waiting.id


async def test_five_claims_without_progress_end_an_import_as_failed(system, worker, databases):
    sonu = await system.person("sonu")
    queued = await upload(system, sonu)
    for _ in range(5):
        assert await worker.claim()
        await databases.execute("UPDATE tasks.imports SET lease_until = now() - interval '1 s'")
    assert await worker.claim() is None
    failed = await get(system, sonu, queued.id)
    assert (failed.state, failed.failure.code) == (import_pb2.Import.STATE_FAILED, "NO_PROGRESS")


async def test_a_parse_failure_fails_the_import_and_keeps_the_rows_before_it(system, worker):
    sonu = await system.person("sonu")
    queued = await upload(system, sonu)
    lease = await worker.claim()
    failure = ingest_pb2.ParseFailure(code=ingest_pb2.ParseFailure.CODE_UNCLOSED_QUOTE, line=3)
    finish = ingest_pb2.IngestRowsRequest(finish=ingest_pb2.IngestFinish(failure=failure))
    await worker.stream(lease, batch(lease.checkpoint, ["a", "", ""], size=5), finish)
    failed = await get(system, sonu, queued.id)
    assert (failed.state, failed.rows_created) == (import_pb2.Import.STATE_FAILED, 1)
    assert (failed.failure.code, failed.failure.line) == ("UNCLOSED_QUOTE", 3)
    assert failed.failure.message == "A quote opened in the record that begins at line 3 is never closed."


async def test_a_watcher_sees_each_commit_up_to_the_final_state(system, worker):
    sonu = await system.person("sonu")
    queued = await upload(system, sonu)
    call = system.imports.WatchImport(import_service_pb2.WatchImportRequest(id=queued.id), metadata=sonu.metadata)
    seen = aiter(call)
    states = import_pb2.Import.State
    assert (await anext(seen)).state == states.STATE_QUEUED
    lease = await worker.claim()
    assert (await anext(seen)).state == states.STATE_RUNNING
    await worker.stream(lease, batch(lease.checkpoint, ["a", "", ""], size=5))
    assert (await anext(seen)).rows_created == 1
    await worker.stream(lease, END)
    assert (await anext(seen)).state == states.STATE_SUCCEEDED
    assert [found async for found in seen] == []


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "EMPTY_FILE"),
        (b"\n", "EMPTY_FILE"),
        (b"name,notes\nx,y\n", "MISSING_TITLE_COLUMN"),
        (b"title,Subject\nx,y\n", "DUPLICATE_COLUMN"),
        (b'title,"notes\nx,y\n', "UNCLOSED_HEADER_QUOTE"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "HEADER_NOT_UTF8"),
        (b"PK\x03\x04\x14\0\0\0\x08\0title\n", "NOT_CSV"),
        (b"t\xefitle\nx\n", "HEADER_NOT_UTF8"),
        (b"title," + b"x" * 3000 + b"\n", "HEADER_TOO_LONG"),
        (b"title," + b"x" * 3000, "HEADER_TOO_LONG"),
        (b"title" + b",x" * 50 + b"\n", "TOO_MANY_COLUMNS"),
        (b"x" * 1_000_000, "HEADER_TOO_LONG"),
    ],
)
async def test_a_file_without_a_usable_header_line_is_refused_and_nothing_is_kept(system, databases, data, reason):
    sonu = await system.person("sonu")
    code, found, message = await refused(upload(system, sonu, data))
    assert (code, found) == (grpc.StatusCode.INVALID_ARGUMENT, reason)
    assert message.endswith(".")
    assert await databases.execute("SELECT count(*) FROM tasks.imports") == [(0,)]
    assert not list(system.uploads.rglob("*.csv*"))


async def test_without_finish_nothing_was_uploaded(system, databases):
    sonu = await system.person("sonu")
    assert (await refused(upload(system, sonu, finish=False)))[1] == "UPLOAD_INCOMPLETE"
    assert await databases.execute("SELECT count(*) FROM tasks.imports") == [(0,)]
    assert not list(system.uploads.rglob("*.csv*"))


async def test_a_size_that_does_not_fit_is_refused(system):
    sonu = await system.person("sonu")

    async def said():
        async for message in messages(FILE, finish=False):
            yield message
        yield import_service_pb2.UploadImportRequest(finish=import_service_pb2.UploadFinish(size=3))

    call = system.imports.UploadImport(said(), metadata=sonu.metadata)
    assert (await refused(call))[1:] == (
        "SIZE_MISMATCH",
        f"The upload was announced as 3 bytes, {len(FILE)} arrived.",
    )


async def test_another_users_import_is_not_found(system):
    sonu, mina = await system.person("sonu"), await system.person("mina")
    queued = await upload(system, sonu)
    assert (await refused(get(system, mina, queued.id)))[:2] == (grpc.StatusCode.NOT_FOUND, "IMPORT_NOT_FOUND")
    mine = await system.imports.ListImports(import_service_pb2.ListImportsRequest(), metadata=mina.metadata)
    assert not mine.imports


async def test_what_was_never_finished_is_swept_away(system, databases):
    """As when the process that took the upload was killed: a row in state uploading, and part of a file."""
    sonu = await system.person("sonu")
    queued = await upload(system, sonu)
    await databases.execute("UPDATE tasks.imports SET state = 'uploading', created_at = now() - interval '1 day'")
    async with open_pool(databases.tasks_url, name="test", size=2) as pool:
        sweep = SweepUploads(
            begin=lambda: SqlTasksUnitOfWork(pool),
            read=lambda: SqlTasksReading(pool),
            store=ObstoreUploads(system.uploads.as_uri()),
            now=lambda: datetime.now(UTC),
            older_than=timedelta(hours=1),
        )
        assert await sweep() == 1
    assert (await refused(get(system, sonu, queued.id)))[0] is grpc.StatusCode.NOT_FOUND
    assert not list(system.uploads.rglob("*.csv*"))


async def test_an_upload_whose_commit_was_not_answered_for_keeps_its_file(system, databases):
    """The process believes that the upload failed, and the database knows that it did not."""
    sonu = await system.person("sonu")
    queued = await upload(system, sonu)
    store = ObstoreUploads(system.uploads.as_uri())
    async with open_pool(databases.tasks_url, name="test", size=2) as pool:
        assert not await forget_upload(lambda: SqlTasksUnitOfWork(pool), store, UUID(queued.id))
    stored = system.uploads / object_key(UUID(queued.id))
    assert stored.read_bytes() == FILE
    assert (await get(system, sonu, queued.id)).state == import_pb2.Import.STATE_QUEUED


async def test_an_import_that_is_just_being_marked_as_woken_is_claimed_all_the_same(system, worker, databases):
    """The dispatcher holds the row's lock for a moment, and a claim passes over what is locked."""
    sonu = await system.person("sonu")
    queued = await upload(system, sonu)
    async with await psycopg.AsyncConnection.connect(databases.administrator_url) as dispatcher:
        await dispatcher.execute("SELECT id FROM tasks.imports FOR UPDATE")
        claiming = asyncio.ensure_future(worker.claim())
        looked = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND (query LIKE '%WITH busy AS%' OR query LIKE '%SELECT EXISTS%')"
        )
        while not claiming.done() and await databases.execute(looked) == [(0,)]:
            pass
        await dispatcher.rollback()
    lease = await claiming
    assert lease is not None
    assert lease.import_id == queued.id


async def test_a_batch_that_can_not_be_written_whole_leaves_nothing_not_even_the_checkpoint(system, worker, databases):
    sonu = await system.person("sonu")
    queued = await upload(system, sonu)
    lease = await worker.claim()
    first = batch(lease.checkpoint, ["a", "", ""], ["", "", ""], size=5)
    await databases.execute("REVOKE INSERT ON tasks.task_events FROM tasks_app")
    assert (await refused(worker.stream(lease, first)))[0] is grpc.StatusCode.INTERNAL
    found = await get(system, sonu, queued.id)
    assert (found.rows_created, found.rows_failed, found.failed_rows_kept) == (0, 0, 0)
    assert await databases.execute("SELECT count(*) FROM tasks.tasks") == [(0,)]
    await databases.execute("GRANT INSERT ON tasks.task_events TO tasks_app")
    answers = await worker.stream(lease, first, END)
    assert [answer.checkpoint.records for answer in answers] == [0, 2, 2]
    assert await databases.execute("SELECT count(*) FROM tasks.tasks") == [(1,)]


async def test_a_forged_page_token_is_refused_and_no_fault_of_the_servers(system):
    sonu = await system.person("sonu")
    queued = await upload(system, sonu)
    digest = hashlib.sha256(f"errors {sonu.id} {queued.id}".encode()).digest()[:8]
    forged = base64.urlsafe_b64encode(digest + b"short").decode().rstrip("=")
    request = import_service_pb2.ListImportErrorsRequest(import_id=queued.id, page_token=forged)
    call = system.imports.ListImportErrors(request, metadata=sonu.metadata)
    assert (await refused(call))[:2] == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_PAGE_TOKEN")
