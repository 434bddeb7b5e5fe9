"""Errors of cells whose value is not known, and of the options for them. A docstring is the message."""

from task_service.tasks.domain.errors import InvalidTask


class UnknownStatus(InvalidTask):
    """Unknown status {word}. Use pending, in_progress, completed or cancelled, or map it with value_mapping."""

    field = "status"


class UnknownPriority(InvalidTask):
    """Unknown priority {word}. Use none, low, medium, high or urgent, or map it with value_mapping."""

    field = "priority"
