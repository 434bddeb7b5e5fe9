"""What can be wrong with a request about tasks. A docstring is the message that the caller reads."""

from chassis.kernel import DomainError, Invalid


class TaskNotFound(DomainError):
    """There is no such task."""


class ImportNotFound(DomainError):
    """There is no such import."""


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


class TwiceInBatch(Invalid):
    """Another request of the batch is about the same task."""


class KeyInBatch(Invalid):
    """In a batch the idempotency key is the batch's, not a single request's."""


class OwnerNotYours(DomainError):
    """Only a manager, an admin or a service may name another owner."""

    field = "owner_id"


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


class UnknownAction(Invalid):
    """An action is created, updated, deleted, restored or purged."""

    field = "action"


class InvalidCursor(Invalid):
    """The cursor is none that a message of this stream carried."""

    field = "cursor"


class DaysOutOfRange(Invalid):
    """Days are 1 to {limit}."""

    field = "days"


class MalformedTime(Invalid):
    """A time is in the years 1 to 9999."""


class ReadOnlyField(InvalidTask):
    """Only the server writes this field."""


class UnknownField(InvalidTask):
    """There is no such field."""


class TooManyCells(InvalidTask):
    """The row has {count} cells, the header line {columns}."""


class UndecodableBytes(InvalidTask):
    """A cell holds bytes that can't be read in the file's encoding, {encoding}."""


class InvalidUpload(Invalid):
    """The upload is not acceptable."""

    field = "file"


class EmptyFile(InvalidUpload):
    """The file is empty: it needs a header line that names a title column."""


class NotCsv(InvalidUpload):
    """The file is not CSV: its first line holds the control character {character}."""


class HeaderNotUtf8(InvalidUpload):
    """The header line is not UTF-8: byte {position} of the file can't be read. Name the encoding it has."""


class HeaderUnreadable(InvalidUpload):
    """The header line is not {encoding}: byte {position} of the file can't be read."""


class UnknownEncoding(InvalidUpload):
    """An encoding is utf-8, utf-16, windows-1252, iso-8859-1 or another that is in use for CSV files."""

    field = "encoding"


class UnknownDelimiter(InvalidUpload):
    """A delimiter is a comma, a semicolon, a bar or "tab"."""

    field = "delimiter"


class MalformedMapping(InvalidUpload):
    """A mapping is written like title:Subject,due_date:Due, each field and each column once."""

    field = "mapping"


class UnknownMappedField(InvalidUpload):
    """The mapping names {name}, which is no field of a task that a column could fill."""

    field = "mapping"


class MappedColumnMissing(InvalidUpload):
    """The mapping names the column {column}, which the header line does not hold."""

    field = "mapping"


class NegativeMaxErrors(InvalidUpload):
    """A number of errors is not negative."""

    field = "max_errors"


class HeaderTooLong(InvalidUpload):
    """The header line has more than {limit} bytes."""


class TooManyColumns(InvalidUpload):
    """The header line names {count} columns, more than {limit}."""


class UnclosedHeaderQuote(InvalidUpload):
    """The header line has a quote that is not closed on it."""


class MissingTitleColumn(InvalidUpload):
    """The header line names no title column: line 1 must hold "title" or "subject", it holds {columns}."""


class DuplicateColumn(InvalidUpload):
    """The header line names the {column} column twice."""


class SizeMismatch(InvalidUpload):
    """The upload was announced as {announced} bytes, {received} arrived."""


class UploadOutOfOrder(InvalidUpload):
    """An upload is options first, then chunks, then finish."""


class UploadIncomplete(InvalidUpload):
    """The upload ended without finish: nothing was kept."""


class FileNameTooLong(InvalidUpload):
    """A file name has at most {limit} characters."""

    field = "file_name"


class SameFileAgain(DomainError):
    """The same file is import {import_id} already: say allow_same_file to import it once more."""

    field = "file"


class FileTooLarge(DomainError):
    """The file has more than {limit} bytes."""

    field = "file"


class StorageFull(DomainError):
    """There is no room to store the file; try again later."""

    field = "file"


class ImportEnded(DomainError):
    """The import has ended already: it is {state}."""


class ImportStillUploading(DomainError):
    """The import's file is still arriving: end the upload instead."""


class LeaseLost(DomainError):
    """The import is no longer leased under this fence."""


class BatchOutOfPlace(Invalid):
    """The batch does not begin at the import's checkpoint."""

    field = "batch.begin"


class MalformedBatch(Invalid):
    """The batch is not as the contract says: {problem}."""

    field = "batch"


class IngestOutOfOrder(Invalid):
    """An ingest is open first, then batches, then finish."""


class OffsetBehindEnd(DomainError):
    """The file ends before this offset."""

    field = "offset"


class StoredFileChanged(DomainError):
    """The stored file is not the one that was uploaded."""
