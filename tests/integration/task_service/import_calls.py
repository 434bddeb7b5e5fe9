"""Calls about imports: those of a user, and those of a worker."""

from taskmanager.imports.v1 import import_ingest_service_pb2 as ingest_pb2
from taskmanager.imports.v1 import import_pb2, import_service_pb2

FILE = b"Subject;description;Status\nBuy milk;2 litres;pending\nCall mum;;in-progress\n"


async def messages(data: bytes, *, finish: bool = True, **options):
    """Yield the messages of an upload."""
    yield import_service_pb2.UploadImportRequest(options=import_service_pb2.UploadOptions(**options))
    for begin in range(0, len(data), 7):
        yield import_service_pb2.UploadImportRequest(chunk=data[begin : begin + 7])
    if finish:
        yield import_service_pb2.UploadImportRequest(finish=import_service_pb2.UploadFinish(size=len(data)))


async def upload(system, user, data: bytes = FILE, **options) -> import_pb2.Import:
    options = {"allow_same_file": True} | options
    return await system.imports.UploadImport(messages(data, **options), metadata=user.metadata)


async def get(system, user, import_id: str) -> import_pb2.Import:
    return await system.imports.GetImport(import_service_pb2.GetImportRequest(id=import_id), metadata=user.metadata)


class Worker:
    """Import worker that makes one call at a time."""

    def __init__(self, system, user) -> None:
        self.system, self.metadata = system, user.metadata

    async def claim(self) -> ingest_pb2.Lease | None:
        """Return the next lease; None when no import waits."""
        request = ingest_pb2.ClaimNextImportRequest(worker="test")
        response = await self.system.ingest.ClaimNextImport(request, metadata=self.metadata)
        return response.lease if response.HasField("lease") else None

    async def read(self, lease: ingest_pb2.Lease, offset: int) -> bytes:
        request = ingest_pb2.ReadUploadRequest(import_id=lease.import_id, fence=lease.fence, offset=offset)
        return b"".join([part.chunk async for part in self.system.ingest.ReadUpload(request, metadata=self.metadata)])

    async def stream(self, lease: ingest_pb2.Lease, *requests: ingest_pb2.IngestRowsRequest):
        """Open a stream, send the requests, and return the responses."""
        opened = ingest_pb2.IngestOpen(import_id=lease.import_id, fence=lease.fence)

        async def messages():
            yield ingest_pb2.IngestRowsRequest(open=opened)
            for request in requests:
                yield request

        return [response async for response in self.system.ingest.IngestRows(messages(), metadata=self.metadata)]


def batch(begin: ingest_pb2.Checkpoint, *rows: list[str], size: int, defects=()) -> ingest_pb2.IngestRowsRequest:
    """Return a batch of rows that begins at a checkpoint and takes `size` bytes of the file."""
    end = ingest_pb2.Checkpoint(
        offset=begin.offset + size, line=begin.line + len(rows), records=begin.records + len(rows)
    )
    return ingest_pb2.IngestRowsRequest(
        batch=ingest_pb2.RowBatch(
            begin=begin,
            end=end,
            lines=[begin.line + index for index in range(len(rows))],
            cells=[cell for row in rows for cell in row],
            defects=defects,
        )
    )


END = ingest_pb2.IngestRowsRequest(finish=ingest_pb2.IngestFinish(end_of_file=ingest_pb2.EndOfFile()))
RELEASE_LEASE = ingest_pb2.IngestRowsRequest(finish=ingest_pb2.IngestFinish(release_lease=ingest_pb2.ReleaseLease()))


async def end_postponement(database) -> None:
    """Let all postponed imports be claimed now."""
    await database.execute("UPDATE tasks.imports SET queued_at = now(), wake_at = now() WHERE state = 'queued'")
