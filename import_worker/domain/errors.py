"""What can end the reading of a file or the work on a lease."""

from chassis.kernel.errors import DomainError


class UnreadableFile(DomainError):
    """The file can't be read any further than line {line}."""

    line: int
    """The physical line that the record begins at."""


class UnclosedQuote(UnreadableFile):
    """The record on line {line} opens a quote that nothing closes."""


class RecordTooLarge(UnreadableFile):
    """The record on line {line} is over the limit of bytes."""


class StrayQuote(UnreadableFile):
    """The record on line {line} has text behind a closing quote."""


class FileCutShort(UnreadableFile):
    """The file ends before its recorded size, at the record on line {line}."""


class LeaseLost(DomainError):
    """Somebody else holds the lease now: drop the work."""


class ConnectionCut(DomainError):
    """The connection was cut ({cause}): try again from the server's checkpoint."""


class Refused(DomainError):
    """The server does not take what was sent ({cause}): trying again would not help."""
