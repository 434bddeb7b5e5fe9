"""Bytes into physical lines of text, counted so that every record boundary has an exact offset."""

from collections.abc import Iterable, Iterator

from import_worker.domain.checkpoints import Checkpoint
from import_worker.domain.errors import FileCutShort, RecordTooLarge, UnclosedQuote, UnreadableFile


class PhysicalLines:
    r"""The lines of a file from a checkpoint on, ended by \n, \r\n or \r.

    Lines are handed out one by one, so `offset` and `line` say exactly how far whoever pulls them has come. The puller
    calls `next_record` at each record's end; no record may be longer than `record_limit` bytes, so that one forgotten
    quote does not turn the rest of the file into a single cell held in memory.
    """

    __slots__ = (
        "_chunks",
        "_record_limit",
        "_size",
        "damaged",
        "exhausted",
        "line",
        "offset",
        "record_line",
        "record_offset",
    )

    def __init__(self, chunks: Iterable[bytes], *, begin: Checkpoint, size: int, record_limit: int) -> None:
        self._chunks = chunks
        self._size = size
        self._record_limit = record_limit
        self.offset = begin.offset
        self.line = begin.line
        self.record_offset = begin.offset
        self.record_line = begin.line
        self.exhausted = False
        """Whether the last line has been handed out and one more was asked for."""
        self.damaged = False
        """Whether the record holds bytes that are not UTF-8."""

    def next_record(self) -> None:
        """Say that what was handed out so far ends a record, or is a blank line."""
        self.record_offset = self.offset
        self.record_line = self.line
        self.damaged = False

    def __iter__(self) -> Iterator[str]:
        for raw in self._split():
            self.offset += len(raw)
            if self.offset - self.record_offset > self._record_limit:
                raise self._over_limit()
            self.line += 1
            try:
                text = raw.decode()
            except UnicodeDecodeError:
                # Each bad byte becomes a lone surrogate, which no UTF-8 decodes to: the cell it lands in can be told.
                text = raw.decode(errors="surrogateescape")
                self.damaged = True
            yield text
        self.exhausted = True

    def _split(self) -> Iterator[bytes]:
        """Yield whole lines with their endings.

        Raises FileCutShort when the bytes end before the file's size: a line without an ending may then be half
        a line.
        """
        rest = b""
        arrived = self.offset
        for chunk in self._chunks:
            arrived += len(chunk)
            lines = (rest + chunk).splitlines(keepends=True)
            # Also a \r at the end is kept back: the next chunk may begin with its \n.
            rest = lines.pop() if lines and not lines[-1].endswith(b"\n") else b""
            yield from lines
            if len(rest) > self._record_limit:
                raise self._over_limit()
        if arrived < self._size:
            if rest.endswith(b"\r"):
                yield rest
            raise FileCutShort(line=self.record_line)
        if rest:
            yield rest

    def _over_limit(self) -> UnreadableFile:
        # Only a quote can carry a record over a line's end, and a quoted cell of this length is one that was never
        # closed: naming the quote helps, naming the size would not.
        if self.line > self.record_line:
            return UnclosedQuote(line=self.record_line)
        return RecordTooLarge(line=self.record_line)
