"""Rows that continue tasks, in a file that takes several batches of the worker's own code."""

import pytest
from taskmanager.imports.v1 import import_pb2
from taskmanager.tasks.v1 import task_service_pb2

from import_worker.clients.translate import batch_to_proto, lease_from_proto
from import_worker.domain.record_parser import BatchLimits, RecordParser
from tests.integration.task_service.import_calls import Worker, get, upload

# Each task has two notes and a blank row between them, so that batches of 2,000 rows end in the middle of a task.
TASKS = [f"t{number}" for number in range(1500)]
ROWS = "".join(f"task,{title},d\nnote,a {title},\n,,\nnote,b {title},\n" for title in TASKS)
FILE = f"TYPE,CONTENT,DESCRIPTION\n{ROWS}".encode()
OPTIONS = {"mapping": "title:CONTENT", "continuation_rows": "TYPE=note"}


async def check_tasks(system, user, import_id: str) -> None:
    """Check that the import has all tasks, with their descriptions."""
    done = await get(system, user, import_id)
    assert (done.state, done.rows_failed) == (import_pb2.Import.STATE_SUCCEEDED, 0)
    assert (done.rows_created, done.rows_skipped) == (len(TASKS), 2 * len(TASKS))
    request = task_service_pb2.ListTasksRequest(import_id=import_id, order_by="created_at", page_size=200)
    found: list[tuple[str, str]] = []
    while not found or request.page_token:
        page = await system.tasks.ListTasks(request, metadata=user.metadata)
        found += [(task.title, task.description) for task in page.tasks]
        request.page_token = page.next_page_token
    assert found == [(title, f"d\n\na {title}\n\nb {title}") for title in TASKS]


@pytest.mark.parametrize("cell", ["note", "'-"])
async def test_tasks_keep_their_rows_across_batches(system, process_queue, cell):
    """So do those whose cell has an apostrophe before a formula, as in errors.csv."""
    sonu = await system.new_user("sonu")
    options = OPTIONS | {"continuation_rows": f"TYPE={cell.lstrip(chr(39))}"}
    queued = await upload(system, sonu, FILE.replace(b"note,", f"{cell},".encode()), **options)
    await process_queue()
    await check_tasks(system, sonu, queued.id)


async def test_tasks_keep_their_rows_after_a_lost_lease(system, database, process_queue):
    """Another worker continues at the checkpoint, whose batch was full before a row that continues a task."""
    sonu = await system.new_user("sonu")
    queued = await upload(system, sonu, FILE, **OPTIONS)
    worker = Worker(system, await system.new_service("imports:ingest"))
    message = await worker.claim()
    assert message is not None
    lease = lease_from_proto(message)
    parser = RecordParser(
        begin=lease.checkpoint,
        dialect=lease.dialect,
        size=lease.size,
        batch_limits=BatchLimits(max_rows=1001),
        record_limits=lease.limits,
    )
    batch = next(parser.feed(FILE[lease.checkpoint.offset :]))
    assert len(batch.lines) == 999
    await worker.stream(message, batch_to_proto(batch))
    await database.execute("UPDATE tasks.imports SET lease_until = now()")
    await process_queue()
    await check_tasks(system, sonu, queued.id)
