"""What can be wrong with an upload, a row or an import. A docstring is the message that the caller reads."""

from chassis.kernel.errors import DomainError
from chassis.kernel.errors import Invalid
from task_service.tasks.domain.errors import InvalidTask


class ImportNotFound(DomainError):
    """There is no such import."""


class TooManyCells(InvalidTask):
    """The row has {count} cells, the header line {columns}."""


class UndecodableBytes(InvalidTask):
    """Cell {cell} holds bytes that are nothing in {encoding}: the option encoding says how a file is to be read."""


class CellTooLong(InvalidTask):
    """A cell has more than {limit} characters."""


class InvalidUpload(Invalid):
    """The upload is not acceptable."""

    field = "file"


class EmptyFile(InvalidUpload):
    """The file or its first line is empty: line 1 must be a header line that names a title column."""


class CompressedFile(InvalidUpload):
    """The file is compressed: send it as a raw body with Content-Encoding: gzip, or unpack it before."""


class ByteOrderMarkMismatch(InvalidUpload):
    """The file begins with the byte order mark of {marked}, the option encoding says {asked}: leave it out."""

    field = "encoding"


class UnsupportedFormat(InvalidUpload):
    """The file is {kind}, not CSV: save it as CSV."""


class NotCsv(InvalidUpload):
    """The file is not CSV: its first line holds the control character {character}."""


class HeaderNotUtf8(InvalidUpload):
    """The header line is not UTF-8: byte {position} of the file can't be read. The option encoding names another."""


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


class UnknownOnDuplicate(InvalidUpload):
    """What becomes of a duplicate is fail, skip or update."""

    field = "on_duplicate"


class HeaderTooLong(InvalidUpload):
    """The header line has more than {limit} bytes."""


class TooManyColumns(InvalidUpload):
    """The header line names {count} columns, more than {limit}."""


class UnclosedHeaderQuote(InvalidUpload):
    """The header line has a quote that is not closed on it."""


class MissingTitleColumn(InvalidUpload):
    """The header line names no title column: line 1 must hold "title" or "subject", it holds {columns}."""


class DuplicateColumn(InvalidUpload):
    """Two columns fill {column}: {names}. The option mapping says which one is meant."""


class SizeMismatch(InvalidUpload):
    """The upload was announced as {announced} bytes, {received} arrived."""


class UploadOutOfOrder(InvalidUpload):
    """An upload is options first, then chunks, then finish."""


class UploadIncomplete(InvalidUpload):
    """The upload ended without finish: nothing was kept."""


class UploadIdle(DomainError):
    """Nothing of the upload came for {seconds:g} seconds, and nothing was kept; send it again."""


class FileNameTooLong(InvalidUpload):
    """A file name has at most {limit} characters."""

    field = "file_name"


class ControlCharacterInFileName(InvalidUpload):
    """A file name can't hold the character {character}."""

    field = "file_name"


class DuplicateFile(DomainError):
    """The same file is import {import_id} already: the option allow_same_file imports it once more."""

    field = "file"


class FileTooLarge(DomainError):
    """The file has more than {limit} bytes."""

    field = "file"


class StorageQuotaExceeded(DomainError):
    """The owner's files would take more than {limit} bytes; those of imports that ended are removed after a while."""

    field = "file"


class StorageFull(DomainError):
    """There is no room to store the file; try again later."""

    field = "file"


class ImportEnded(DomainError):
    """The import has ended already: it is {state}."""


class ImportNotEnded(DomainError):
    """The import has not ended, it is {state}: cancel it, or wait for its end, before it is undone."""


class NothingToUndo(DomainError):
    """The import only validated its file: there is nothing to undo."""


class ImportStillUploading(DomainError):
    """The import's file is still arriving: end the upload instead."""


class LeaseLost(DomainError):
    """The import is no longer leased under this fence."""


class InvalidWorker(Invalid):
    """A worker's name has at most {limit} characters, and none of them is a control character."""

    field = "worker"


class BatchNotAtCheckpoint(Invalid):
    """The batch does not begin at the import's checkpoint."""

    field = "batch.begin"


class MalformedBatch(Invalid):
    """The batch is not as the contract says: {problem}."""

    field = "batch"


class IngestOutOfOrder(Invalid):
    """An ingest is open first, then batches, then finish."""


class UnknownParseFailure(Invalid):
    """A file's failure is one of those that the contract names, at a line of the file."""

    field = "finish.failure"


class NegativeOffset(Invalid):
    """An offset is not negative."""

    field = "offset"


class OffsetBehindEnd(DomainError):
    """The file ends before this offset."""

    field = "offset"


class StoredFileChanged(DomainError):
    """The stored file is not the one that was uploaded."""
