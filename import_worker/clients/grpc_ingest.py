"""task_service's ImportIngestService behind the use cases' ports."""

import queue
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager

import grpc
from taskmanager.imports.v1 import import_ingest_service_pb2 as pb
from taskmanager.imports.v1.import_ingest_service_pb2_grpc import ImportIngestServiceStub

from import_worker.clients.call_reader import CallReader, Silence
from import_worker.clients.messages import (
    batch_to_proto,
    finish_to_proto,
    lease_from_proto,
    open_to_proto,
    progress_from_proto,
)
from import_worker.clients.status import meaning_of
from import_worker.domain.batches import Batch, Ending
from import_worker.domain.checkpoints import Lease, Progress
from import_worker.domain.errors import ConnectionCut, UnreadableFile

# Pieces of a file that may lie in memory before they are parsed: enough that parsing never waits for the network.
_PIECES_AHEAD = 4
# Answers are small, and never more come than batches were sent.
_ANSWERS_AHEAD = 64
# What a server that has said its last word is given to end the call itself before it is cancelled.
_LINGER = 1.0


class GrpcIngest:
    """Speaks to ImportIngestService. `patience`: seconds without a word after which a call counts as cut."""

    def __init__(self, channel: grpc.Channel, *, worker: str, patience: float) -> None:
        self._stub = ImportIngestServiceStub(channel)
        self._worker = worker
        self._patience = patience

    def claim(self) -> Lease | None:
        with _in_our_words():
            request = pb.ClaimNextImportRequest(worker=self._worker)
            answer = self._stub.ClaimNextImport(request, timeout=self._patience)
        return lease_from_proto(answer.lease) if answer.HasField("lease") else None

    @contextmanager
    def read(self, lease: Lease, offset: int) -> Iterator[Iterator[bytes]]:
        with closing(self._chunks(lease, offset)) as chunks:
            yield chunks

    def _chunks(self, lease: Lease, offset: int) -> Generator[bytes]:
        """Yield the file to its end.

        An answer that is too short is asked for again where it ended: only when nothing more comes is the file cut
        short, for that would be the import's end.
        """
        arrived = True
        while arrived and offset < lease.size:
            arrived = False
            request = pb.ReadUploadRequest(import_id=lease.import_id, fence=lease.fence, offset=offset)
            with _in_our_words(), self._reading(request) as reader:
                while piece := reader.next():
                    arrived = arrived or len(piece.chunk) > 0
                    offset += len(piece.chunk)
                    yield piece.chunk

    @contextmanager
    def _reading(self, request: pb.ReadUploadRequest) -> Iterator[CallReader[pb.ReadUploadResponse]]:
        reader = CallReader(self._stub.ReadUpload(request), ahead=_PIECES_AHEAD, patience=self._patience)
        try:
            yield reader
        except grpc.RpcError as error:
            # The file became shorter than the offset: the same as an empty answer.
            if error.code() is not grpc.StatusCode.OUT_OF_RANGE:
                raise
        finally:
            reader.close()

    @contextmanager
    def stream(self, lease: Lease) -> Iterator["GrpcIngestStream"]:
        requests: queue.SimpleQueue[pb.IngestRowsRequest | None] = queue.SimpleQueue()
        requests.put(open_to_proto(lease))
        # gRPC pulls the requests in a thread of its own; None ends them, and with them that thread.
        call = self._stub.IngestRows(iter(requests.get, None))
        reader = CallReader(call, ahead=_ANSWERS_AHEAD, patience=self._patience)
        linger = 0.0
        try:
            yield GrpcIngestStream(requests, reader)
            linger = _LINGER
        finally:
            requests.put(None)
            reader.close(linger=linger)


class GrpcIngestStream:
    """One open IngestRows call."""

    def __init__(
        self,
        requests: queue.SimpleQueue[pb.IngestRowsRequest | None],
        reader: CallReader[pb.IngestRowsResponse],
    ) -> None:
        self._requests = requests
        self._reader = reader

    def send(self, batch: Batch) -> None:
        self._requests.put(batch_to_proto(batch))

    def finish(self, ending: Ending | UnreadableFile) -> None:
        self._requests.put(finish_to_proto(ending))
        self._requests.put(None)

    def answer(self) -> Progress:
        with _in_our_words():
            answer = self._reader.next()
        if answer is None:
            raise ConnectionCut(cause="the stream ended without the answer to finish")
        return progress_from_proto(answer)


@contextmanager
def _in_our_words() -> Iterator[None]:
    try:
        yield
    except grpc.RpcError as error:
        raise meaning_of(error) from error
    except Silence:
        raise ConnectionCut(cause="nothing was heard for too long") from None
