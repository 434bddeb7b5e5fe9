"""Errors of cells whose value is not known, and of the options for them. A docstring is the message."""

from task_service.imports.domain.errors import InvalidUpload
from task_service.tasks.domain.errors import InvalidTask


class UnknownStatus(InvalidTask):
    """Unknown status {word}. Use pending, in_progress, completed or cancelled, or map it with value_mapping."""

    field = "status"


class UnknownPriority(InvalidTask):
    """Unknown priority {word}. Use none, low, medium, high or urgent, or map it with value_mapping."""

    field = "priority"


class MalformedValueMapping(InvalidUpload):
    """Malformed value_mapping: {problem}. Write it like {{"status": {{"Blocked": "pending"}}}}."""

    field = "value_mapping"


class UnknownValueField(InvalidUpload):
    """The value_mapping names the field {name}. It can map values of status, priority and due_date."""

    field = "value_mapping"


class UnknownMappedValue(InvalidUpload):
    """The value_mapping maps {text} to {value}, which is not a {name}. Use a value of the API, or null for none."""

    field = "value_mapping"


class DuplicateMappedText(InvalidUpload):
    """The value_mapping names {text} twice. Case, hyphens and underscores do not matter."""

    field = "value_mapping"


class UnknownOnUnknown(InvalidUpload):
    """Unknown {field}. Use fail or {other}."""
