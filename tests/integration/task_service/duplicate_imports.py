"""Imports of files whose rows have an external_id, and their counts."""

from taskmanager.imports.v1 import import_pb2, import_service_pb2

from tests.integration.task_service.import_calls import END, batch, get, upload

Options = import_service_pb2.UploadOptions
FAIL, SKIP, UPDATE = Options.ON_DUPLICATE_FAIL, Options.ON_DUPLICATE_SKIP, Options.ON_DUPLICATE_UPDATE
HEADER = ["external_id", "title"]


async def run_import(system, user, worker, *batches: list[list[str]], header=HEADER, **options) -> import_pb2.Import:
    """Import a file in these batches, and return the finished import."""
    queued = await upload(system, user, ",".join(header).encode() + b"\n" + b"x" * 1000, **options)
    lease = await worker.claim()
    assert lease.import_id == queued.id
    sent, begin = [], lease.checkpoint
    for rows in batches:
        sent.append(batch(begin, *rows, size=5))
        begin = sent[-1].batch.end
    await worker.stream(lease, *sent, END)
    finished = await get(system, user, queued.id)
    assert finished.rows_read == sum(map(len, batches)) == sum(counts(finished))
    return finished


def counts(found: import_pb2.Import) -> tuple[int, int, int, int, int]:
    return found.rows_created, found.rows_updated, found.rows_unchanged, found.rows_skipped, found.rows_failed
