"""Errors of cells whose value is not known, and of the options for them. A docstring is the message."""

from task_service.imports.domain.errors import InvalidUpload
from task_service.tasks.domain.errors import InvalidTask, MalformedDate, UnknownAssignee, UnknownPriority, UnknownStatus


class UnknownStatusCell(UnknownStatus, inherits_reason=True):
    """Unknown status {word}.

    Use pending, in_progress, completed or cancelled, or map it with value_mapping={mapping}.
    """


class UnknownPriorityCell(UnknownPriority, inherits_reason=True):
    """Unknown priority {word}. Use none, low, medium, high or urgent, or map it with value_mapping={mapping}."""


class UnknownAssigneeCell(UnknownAssignee, inherits_reason=True):
    """Unknown assignee {name}. Use the username or email of a user, or set on_unknown_assignee=leave_empty."""

    field = "assignee"


class MalformedValueMapping(InvalidUpload):
    """Malformed value_mapping: {problem}. Write it like {{"status": {{"Blocked": "pending"}}}}."""

    field = "value_mapping"


class UnknownValueField(InvalidUpload):
    """The value_mapping names the field {name}. It can map values of status, priority and due_date."""

    field = "value_mapping"


class UnknownMappedValue(InvalidUpload):
    """The value_mapping maps {text} to {value}, which is not a {name}. Use {expected}, or null for none."""

    field = "value_mapping"


class DuplicateMappedText(InvalidUpload):
    """The value_mapping names {text} twice. Case, hyphens and underscores do not matter."""

    field = "value_mapping"


class UnknownValueRule(InvalidUpload):
    """Unknown {field}. Use fail or {other}."""


class UnreadableDate(MalformedDate, inherits_reason=True):
    """Unreadable date {text}. Use 2026-12-31 or set date_format, value_mapping or on_unknown_date=empty."""


class AmbiguousDate(InvalidTask):
    """The date {text} can be {first} or {second}. Set date_order to mdy, dmy or ymd, or set date_format."""

    field = "due_date"


class DateWithoutYear(InvalidTask):
    """The date {text} has no year. Use 2026-12-31 or set value_mapping or on_unknown_date=empty."""

    field = "due_date"


class MalformedDateFormat(InvalidUpload):
    """Malformed date_format: {problem}. Write it like DD/MM/YYYY, D MMM YYYY or YYYY-MM-DD h:mm A."""

    field = "date_format"


class ContradictoryDateOptions(InvalidUpload):
    """Set date_format or date_order, not both."""

    field = "date_order"


class MalformedLabelSeparator(InvalidUpload):
    """The label_separator must have at most {limit} characters, no letters, digits, brackets and apostrophes."""

    field = "label_separator"


class TooManyNullValues(InvalidUpload):
    """The option null_values has at most {limit} texts of {characters} characters. Write them like null|n/a|[]."""

    field = "null_values"


class MalformedTitleLabelPrefix(InvalidUpload):
    """The title_label_prefix must be one character such as @ or #, or empty."""

    field = "title_label_prefix"


class UnknownDateOrder(InvalidUpload):
    """Unknown date_order. Use mdy, dmy or ymd."""

    field = "date_order"


class UnknownTimeZone(InvalidUpload):
    """Unknown time_zone. Use a name such as Europe/Berlin or UTC."""

    field = "time_zone"
