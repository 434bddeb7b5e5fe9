"""Incremental splitting of bytes into lines of text, with the exact offset of every record."""

import re
from collections.abc import Iterator

from import_worker.domain.errors import FileCutShort, RecordTooLarge, UnclosedQuote, UnreadableFile
from import_worker.domain.lease import Checkpoint

_SURROGATE = re.compile("[\ud800-\udfff]")
# These match two bytes at a time, so that half a character is never mistaken for a line ending. The last match is the
# text after the last line ending.
_UTF_16_LINES = {
    "utf-16-le": re.compile(rb"(?s)(?:(?!\r\0|\n\0)..)*(?:\r\0\n\0|\r\0|\n\0)|.+"),
    "utf-16-be": re.compile(rb"(?s)(?:(?!\0\r|\0\n)..)*(?:\0\r\0\n|\0\r|\0\n)|.+"),
}


def _split_lines(data: bytes) -> list[bytes]:
    return data.splitlines(keepends=True)


class PhysicalLines:
    r"""Lines of a file from a checkpoint on. A line ends with \n, \r\n or \r.

    `feed` adds bytes, `close` ends the file, and iterating yields the lines that are complete. `offset` and `line` are
    the position after the last line that was yielded. The consumer calls `end_record` after each record. After more
    bytes arrive, the lines of an unfinished record are yielded again from its beginning.

    A record is limited to `max_record_bytes`. Otherwise one unclosed quote turns the rest of the file into a single
    cell in memory.
    """

    __slots__ = (
        "_encoding",
        "_first_line",
        "_is_closed",
        "_is_utf_16",
        "_line_feed",
        "_lines",
        "_max_record_bytes",
        "_received",
        "_rest",
        "_size",
        "_split_lines",
        "has_undecodable",
        "is_exhausted",
        "line",
        "offset",
        "record_line",
        "record_offset",
    )

    def __init__(self, *, begin: Checkpoint, size: int, max_record_bytes: int, encoding: str = "utf-8") -> None:
        self._encoding = encoding
        self._is_utf_16 = encoding.startswith("utf-16")
        self._line_feed = "\n".encode(encoding)
        self._split_lines = _UTF_16_LINES[encoding].findall if self._is_utf_16 else _split_lines
        self._size = size
        self._max_record_bytes = max_record_bytes
        self._lines: list[bytes] = []
        self._first_line = begin.line
        self._rest = b""
        self._received = begin.offset
        self._is_closed = False
        self.offset = begin.offset
        self.line = begin.line
        self.record_offset = begin.offset
        self.record_line = begin.line
        self.is_exhausted = False
        """True if all complete lines have been yielded and the consumer asked for another one."""
        self.has_undecodable = False
        """True if the current record has bytes that are invalid in the encoding."""

    def feed(self, chunk: bytes) -> None:
        """Add the next bytes of the file. All lines that are complete must have been consumed."""
        self._received += len(chunk)
        self._restart_record(chunk)
        # A \r at the end stays in the rest too: the next chunk may begin with its \n.
        lines = self._lines
        self._rest = lines.pop() if lines and not lines[-1].endswith(self._line_feed) else b""

    def close(self) -> None:
        """End the file. A last line without a line ending is complete if the file has its full size."""
        self._is_closed = True
        self._restart_record(b"")
        if self._lines and not self._has_all_bytes() and not self._lines[-1].endswith(self._line_endings()):
            self._lines.pop()

    def end_record(self) -> None:
        """Mark the last line that was yielded as the end of a record, or as a blank line."""
        self.record_offset = self.offset
        self.record_line = self.line
        self.has_undecodable = False

    def record_text(self) -> str:
        """Return the text of the current record, whose last line was yielded. All its bytes must be valid."""
        lines = self._lines[self.record_line - self._first_line : self.line - self._first_line]
        return b"".join(lines).decode(self._encoding)

    def __iter__(self) -> Iterator[str]:
        """Yield the lines that are complete.

        Raises:
            RecordTooLarge: the record exceeds the maximum size.
            UnclosedQuote: the same, for a record of several lines.
            FileCutShort: the file was closed before its recorded size.

        """
        for raw in self._lines:
            self.offset += len(raw)
            if self.offset - self.record_offset > self._max_record_bytes:
                raise self._limit_error()
            self.line += 1
            try:
                text = raw.decode(self._encoding)
            except UnicodeDecodeError:
                text = self._decode_invalid(raw)
                self.has_undecodable = True
            yield text
        if len(self._rest) > self._max_record_bytes:
            raise self._limit_error()
        self.is_exhausted = True
        if self._is_closed and not self._has_all_bytes():
            raise FileCutShort(line=self.record_line)

    def _restart_record(self, chunk: bytes) -> None:
        """Go back to the beginning of the record, and split its lines, the rest and the chunk again."""
        unfinished = self._lines[len(self._lines) - (self.line - self.record_line) :]
        self._lines = self._split_lines(b"".join((*unfinished, self._rest, chunk)))
        self._rest = b""
        self.offset, self.line = self.record_offset, self.record_line
        self._first_line = self.record_line
        self.is_exhausted = self.has_undecodable = False

    def _has_all_bytes(self) -> bool:
        return self._received >= self._size

    def _line_endings(self) -> tuple[bytes, bytes]:
        return self._line_feed, self._line_feed.replace(b"\n", b"\r")

    def _decode_invalid(self, raw: bytes) -> str:
        """Decode invalid bytes to lone surrogates, which no encoding decodes to, so that the cell can be identified."""
        if not self._is_utf_16:
            return raw.decode(self._encoding, errors="surrogateescape")
        even_length = len(raw) // 2 * 2
        text = raw[:even_length].decode(self._encoding, errors="surrogatepass")
        return _SURROGATE.sub("\udcff", text) + "\udcff" * (len(raw) - even_length)

    def _limit_error(self) -> UnreadableFile:
        # Only a quote can extend a record over a line ending, and a quoted cell of this length was never closed. The
        # quote helps the user to find the error, the size would not.
        if self.line > self.record_line:
            return UnclosedQuote(line=self.record_line)
        return RecordTooLarge(line=self.record_line)
