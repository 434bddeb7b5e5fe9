"""Errors of requests about history. A docstring is the message that the client reads."""

from chassis.kernel.errors import DomainError, Invalid


class UnknownAction(Invalid):
    """Unknown action. Use created, updated, deleted, restored or purged."""

    field = "action"


class InvalidCursor(Invalid):
    """The cursor is invalid. Use the cursor of an earlier message of this stream, "-" or no cursor."""

    field = "cursor"


class CursorExpired(DomainError):
    """The event log was restored from a backup, so this cursor has expired. Read all tasks again, and start anew."""
