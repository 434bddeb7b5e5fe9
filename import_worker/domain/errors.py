"""Errors that end the reading of a file or the processing of a lease."""

from chassis.kernel.errors import DomainError


class UnreadableFile(DomainError):
    """The file cannot be read beyond line {line}."""

    line: int
    """First physical line of the record that is unreadable."""


class UnclosedQuote(UnreadableFile):
    """The record on line {line} opens a quote and never closes it."""


class RecordTooLarge(UnreadableFile):
    """The record on line {line} exceeds the maximum number of bytes."""


class StrayQuote(UnreadableFile):
    """The record on line {line} has text after a closing quote."""


class FileCutShort(UnreadableFile):
    """The file ends before its recorded size, at the record on line {line}."""


class LeaseLost(DomainError):
    """Another worker holds the lease now. Stop processing the import."""


class ConnectionLost(DomainError):
    """The connection was lost ({cause}). Resume from the server's checkpoint."""


class RequestRejected(DomainError):
    """The server rejected the request ({cause}). A retry would fail in the same way."""
