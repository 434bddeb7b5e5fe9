"""Errors of requests about history. A docstring is the message that the client reads."""

from chassis.kernel.errors import DomainError, Invalid


class UnknownAction(Invalid):
    """Unknown action. Use created, updated, deleted, restored or purged."""

    field = "action"


class InvalidCursor(Invalid):
    """The cursor is invalid. Use a next_cursor or cursor of an earlier response, "now", "-" or no cursor."""

    field = "cursor"


class CursorWithNewestFirst(Invalid):
    """A cursor leads to later events. Leave out either the cursor or newest_first."""

    field = "cursor"


class CursorExpired(DomainError):
    """The event log was restored from a backup, so this cursor has expired. Read all tasks again, and start anew."""
