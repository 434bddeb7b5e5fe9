"""Errors of requests about history. A docstring is the message that the client reads."""

from chassis.kernel.errors import Invalid


class UnknownAction(Invalid):
    """Unknown action. Use created, updated, deleted, restored or purged."""

    field = "action"


class InvalidCursor(Invalid):
    """The cursor is not one that this stream sent. Use the cursor of an earlier message, "-" or nothing."""

    field = "cursor"
