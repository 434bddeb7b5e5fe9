"""Bytes into physical lines of text, counted so that every record boundary has an exact offset."""

import re
from collections.abc import Iterable, Iterator

from import_worker.domain.checkpoints import Checkpoint
from import_worker.domain.errors import FileCutShort, RecordTooLarge, UnclosedQuote, UnreadableFile

_SURROGATE = re.compile("[\ud800-\udfff]")
# Two bytes at a time from a line's beginning, so that half a character is never taken for a line's end. What is behind
# the last line's end comes as the last match.
_WIDE_LINES = {
    "utf-16-le": re.compile(rb"(?s)(?:(?!\r\0|\n\0)..)*(?:\r\0\n\0|\r\0|\n\0)|.+"),
    "utf-16-be": re.compile(rb"(?s)(?:(?!\0\r|\0\n)..)*(?:\0\r\0\n|\0\r|\0\n)|.+"),
}


def _lines(data: bytes) -> list[bytes]:
    return data.splitlines(keepends=True)


class PhysicalLines:
    r"""The lines of a file from a checkpoint on, ended by \n, \r\n or \r.

    Lines are handed out one by one, so `offset` and `line` say exactly how far whoever pulls them has come. The puller
    calls `next_record` at each record's end; no record may be longer than `record_limit` bytes, so that one forgotten
    quote does not turn the rest of the file into a single cell held in memory.
    """

    __slots__ = (
        "_chunks",
        "_encoding",
        "_line_feed",
        "_lines_of",
        "_record_limit",
        "_size",
        "_wide",
        "damaged",
        "exhausted",
        "line",
        "offset",
        "record_line",
        "record_offset",
    )

    def __init__(
        self, chunks: Iterable[bytes], *, begin: Checkpoint, size: int, record_limit: int, encoding: str = "utf-8"
    ) -> None:
        self._encoding = encoding
        self._wide = encoding.startswith("utf-16")
        self._line_feed = "\n".encode(encoding)
        self._lines_of = _WIDE_LINES[encoding].findall if self._wide else _lines
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
        """Whether the record holds bytes that are nothing in the encoding."""

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
                text = raw.decode(self._encoding)
            except UnicodeDecodeError:
                text = self._decode_damaged(raw)
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
            lines = self._lines_of(rest + chunk)
            # Also a \r at the end is kept back: the next chunk may begin with its \n.
            rest = lines.pop() if lines and not lines[-1].endswith(self._line_feed) else b""
            yield from lines
            if len(rest) > self._record_limit:
                raise self._over_limit()
        if arrived < self._size:
            if rest.endswith(self._line_feed.replace(b"\n", b"\r")):
                yield rest
            raise FileCutShort(line=self.record_line)
        if rest:
            yield rest

    def _decode_damaged(self, raw: bytes) -> str:
        """Bad bytes as lone surrogates, which no encoding decodes to: the cell they land in can be told."""
        if not self._wide:
            return raw.decode(self._encoding, errors="surrogateescape")
        even = len(raw) // 2 * 2
        text = raw[:even].decode(self._encoding, errors="surrogatepass")
        return _SURROGATE.sub("\udcff", text) + "\udcff" * (len(raw) - even)

    def _over_limit(self) -> UnreadableFile:
        # Only a quote can carry a record over a line's end, and a quoted cell of this length is one that was never
        # closed: naming the quote helps, naming the size would not.
        if self.line > self.record_line:
            return UnclosedQuote(line=self.record_line)
        return RecordTooLarge(line=self.record_line)
