"""What can be wrong with a request about tasks. A docstring is the message that the caller reads."""

from chassis.kernel.errors import DomainError, Invalid


class TaskNotFound(DomainError):
    """There is no such task."""


class EtagMismatch(DomainError):
    """The task has changed meanwhile: its etag is {etag} now. Read it again before you change it."""

    field = "etag"


class TaskDeleted(DomainError):
    """The task is in the trash: undelete it before you change it."""


class TaskNotDeleted(DomainError):
    """The task is not deleted."""


class TaskNotInTrash(DomainError):
    """Only a deleted task can be purged."""


class ExternalIdTaken(Invalid):
    """Another of the owner's tasks has this external_id."""

    field = "external_id"


class InvalidIdempotencyKey(Invalid):
    """An idempotency key is 1 to {limit} visible ASCII characters."""

    field = "idempotency_key"


class IdempotencyKeyReused(DomainError):
    """Another request has come with the same idempotency key."""

    field = "idempotency_key"


class EmptyBatch(Invalid):
    """A batch holds at least one request."""

    field = "requests"


class TooManyInBatch(Invalid):
    """The batch holds {count} requests, more than {limit}."""

    field = "requests"


class DuplicateInBatch(Invalid):
    """Another request of the batch is about the same task."""


class IdempotencyKeyInBatchItem(Invalid):
    """In a batch the idempotency key is the batch's, not a single request's."""


class OwnerRequired(Invalid):
    """A service must name the owner of what it creates."""

    field = "owner_id"


class InvalidTask(Invalid):
    """The task is not acceptable."""


class BlankTitle(InvalidTask):
    """A task needs a title."""

    field = "title"


class TooLong(InvalidTask):
    """The {field} has {length} characters, more than {limit}."""


class LineBreakInTitle(InvalidTask):
    """A title stands on one line."""

    field = "title"


class ForbiddenCharacter(InvalidTask):
    """The {field} can't hold the character {character}."""


class UnknownStatus(InvalidTask):
    """A status is pending, in_progress, completed or cancelled."""

    field = "status"


class UnknownPriority(InvalidTask):
    """A priority is none, low, medium, high or urgent."""

    field = "priority"


class MalformedDate(InvalidTask):
    """A due date is a calendar date such as 2026-03-31."""

    field = "due_date"


class BlankLabel(InvalidTask):
    """A label is not blank."""

    field = "labels"


class LabelTooLong(InvalidTask):
    """A label has at most {limit} characters, this one has {length}."""

    field = "labels"


class CommaInLabel(InvalidTask):
    """A label holds no comma."""

    field = "labels"


class TooManyLabels(InvalidTask):
    """There are {count} labels, more than {limit}."""

    field = "labels"


class UnknownAssignee(InvalidTask):
    """There is no such user to assign the task to."""

    field = "assignee_id"


class QueryTooLong(Invalid):
    """The free text has {length} characters, more than {limit}."""

    field = "q"


class UnknownOrder(Invalid):
    """An order is created_at, updated_at, due_date, priority or title, alone or with asc or desc behind it."""

    field = "order_by"


class DaysOutOfRange(Invalid):
    """Days are 1 to {limit}."""

    field = "days"


class ReadOnlyField(InvalidTask):
    """Only the server writes this field."""


class UnknownField(InvalidTask):
    """There is no such field."""
