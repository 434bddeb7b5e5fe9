"""Errors of requests about tasks. A docstring is the message that the client reads."""

from chassis.kernel.errors import DomainError, Invalid


class TaskNotFound(DomainError):
    """No such task."""


class TaskAlreadyDeleted(TaskNotFound, inherits_reason=True):
    """The task is already deleted."""


class EtagMismatch(DomainError):
    """The task has changed: its etag is now {etag}. Read the task again, then retry with the new etag."""

    field = "etag"


class TaskDeleted(DomainError):
    """The task is deleted. Undelete it before you change it."""


class TaskNotDeleted(DomainError):
    """The task is not deleted. Only a deleted task can be undeleted."""


class TaskNotInTrash(DomainError):
    """Only a deleted task can be purged. Delete the task first."""


class ExternalIdTaken(Invalid):
    """Another live task of the owner has this external_id."""

    field = "external_id"


class EmptyBatch(Invalid):
    """A batch must have at least one request."""

    field = "requests"


class TooManyInBatch(Invalid):
    """The batch has {count} requests. Send at most {limit}."""

    field = "requests"


class DuplicateInBatch(Invalid):
    """Another request of the batch has the same {name}."""


class IdempotencyKeyInBatchItem(Invalid):
    """A request in a batch must not have an idempotency key. Set the key of the batch."""


class ExternalIdRequired(Invalid):
    """An upsert finds its task by external_id. Set external_id, or create the task with CreateTask."""

    field = "external_id"


class InvalidTask(Invalid):
    """The task is invalid."""


class BlankTitle(InvalidTask):
    """A task needs a title."""

    field = "title"


class TooLong(InvalidTask):
    """The {field} has {length} characters. The maximum is {limit}."""


class LineBreakInTitle(InvalidTask):
    """A title must be one line."""

    field = "title"


class ForbiddenCharacter(InvalidTask):
    """The {field} must not contain the character {character}."""


class UnknownStatus(InvalidTask):
    """Unknown status. Use pending, in_progress, completed or cancelled."""

    field = "status"


class UnknownPriority(InvalidTask):
    """Unknown priority. Use none, low, medium, high or urgent."""

    field = "priority"


class MalformedDate(InvalidTask):
    """A date must be a calendar date such as 2026-03-31."""

    field = "due_date"


class BlankLabel(InvalidTask):
    """A label must not be blank."""

    field = "labels"


class LabelTooLong(InvalidTask):
    """A label has {length} characters. The maximum is {limit}."""

    field = "labels"


class CommaInLabel(InvalidTask):
    """A label must not contain a comma."""

    field = "labels"


class TooManyLabels(InvalidTask):
    """The task has {count} labels. The maximum is {limit}."""

    field = "labels"


class UnknownAssignee(InvalidTask):
    """No such user. Assign the task to an existing user."""

    field = "assignee_id"


class QueryTooLong(Invalid):
    """The search text has {length} characters. The maximum is {limit}."""

    field = "q"


class TooManyWords(Invalid):
    """The search text has {count} different words. Use at most {limit}."""

    field = "q"


class TooManyIds(Invalid):
    """The filter has {count} ids. Use at most {limit}."""

    field = "ids"


class UnknownOrder(Invalid):
    """Unknown order. Use created_at, updated_at, due_date, priority or title, optionally followed by asc or desc."""

    field = "order_by"


class DaysOutOfRange(Invalid):
    """The number of days must be 1 to {limit}."""

    field = "days"


class ReadOnlyField(InvalidTask):
    """Read-only: only the server sets this field."""


class UnknownField(InvalidTask):
    """The update_mask names {name}, which is not a field of a task. See /docs."""

    field = "update_mask"
