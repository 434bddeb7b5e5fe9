"""Helpers for tests of the record parser."""

from collections.abc import Iterable, Iterator

from import_worker.domain.batch import Batch
from import_worker.domain.record_parser import RecordParser


def parse_all(parser: RecordParser, chunks: Iterable[bytes]) -> Iterator[Batch]:
    """Yield the batches of a whole file."""
    for chunk in chunks:
        yield from parser.feed(chunk)
    yield from parser.close()


def chunked(data: bytes, size: int) -> list[bytes]:
    """Split the data into chunks of this many bytes."""
    return [data[offset : offset + size] for offset in range(0, len(data), size)]
