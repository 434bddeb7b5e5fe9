"""Errors of uploads, rows and imports. A docstring is the message that the client reads."""

from chassis.kernel.errors import DomainError, Invalid
from task_service.tasks.domain.errors import ExternalIdTaken, InvalidTask

FILE_FIELD = "chunk"
"""Field of the upload's messages that has the bytes of the file."""


class ImportNotFound(DomainError):
    """No such import."""


class RowExternalIdTaken(ExternalIdTaken, inherits_reason=True):
    """Another live task of the owner has this external_id. Set on_duplicate=skip or on_duplicate=update."""


class TooManyCells(InvalidTask):
    """The row has {count} cells, but the header line has {columns}."""


class UndecodableBytes(InvalidTask):
    """Cell {cell} has bytes that are not {encoding}. Set the option encoding to the encoding of the file."""


class CellTooLong(InvalidTask):
    """A cell has more than {limit} characters."""


class TooManyContinuationRows(InvalidTask):
    """At most {rows} rows can continue a task, in at most {kib} KiB. Put the text into the description of the task."""


class ContinuedTaskRejected(InvalidTask):
    """The task that this row continues was rejected. Correct its row, and upload both rows."""


class ContinuationRowRejected(InvalidTask):
    """A row that continues this task was rejected. Correct it, and upload both rows."""


class InvalidUpload(Invalid):
    """The upload is invalid."""

    field = FILE_FIELD


class EmptyFile(InvalidUpload):
    """The file or its first line is empty. Line 1 must be a header line with a title column."""


class UnknownOptionsImport(InvalidUpload):
    """The option options_from must be the id of an import that you can see and whose file is uploaded."""

    field = "options_from"


class CompressedFile(InvalidUpload):
    """The file is compressed. Send it as a raw body with Content-Encoding: gzip, or unpack it first."""


class ByteOrderMarkMismatch(InvalidUpload):
    """The file has the byte order mark of {mark}, but the option encoding is {option}. Leave the option out."""

    field = "encoding"


class UnsupportedFormat(InvalidUpload):
    """The file looks like {kind}, not CSV. {advice}."""


class UnmarkedUtf16(InvalidUpload):
    """The file seems to be UTF-16 without a byte order mark. Set the option encoding to {encoding}."""

    field = "encoding"


class NotCsv(InvalidUpload):
    """The file is not CSV: its first line contains the control character {character}."""


class HeaderNotUtf8(InvalidUpload):
    """The header line is not UTF-8: byte {position} of the file can't be decoded. Set the option encoding."""


class FileNotUtf8(InvalidUpload):
    """The file is not UTF-8: byte {position} can't be decoded. Set the option encoding."""

    field = "encoding"


class HeaderUnreadable(InvalidUpload):
    """The header line is not {encoding}: byte {position} of the file can't be decoded. Change the option encoding."""


class UnknownEncoding(InvalidUpload):
    """Unknown encoding. Use utf-8, utf-16, windows-1252, shift_jis or another encoding without shift states."""

    field = "encoding"


class NegativeMaxErrors(InvalidUpload):
    """The option max_errors must be 0 or more."""

    field = "max_errors"


class UnknownOnDuplicate(InvalidUpload):
    """Unknown on_duplicate. Use fail, skip or update."""

    field = "on_duplicate"


class HeaderTooLong(InvalidUpload):
    """The header line is longer than {limit} bytes."""


class TooManyColumns(InvalidUpload):
    """The header line has {count} columns. The maximum is {limit}."""


class UnclosedHeaderQuote(InvalidUpload):
    """The header line has an unclosed quote."""


class SizeMismatch(InvalidUpload):
    """The upload announced {announced} bytes, but {received} arrived."""


class UploadOutOfOrder(InvalidUpload):
    """Messages out of order. Send options first, then chunks, then finish."""


class UploadIncomplete(InvalidUpload):
    """The upload ended without finish. Nothing was stored."""


class UploadIdle(DomainError):
    """The upload was idle for {seconds:g} seconds and was ended. Nothing was stored. Send it again."""


class FileNameTooLong(InvalidUpload):
    """The file name is longer than {limit} characters."""

    field = "file_name"


class ControlCharacterInFileName(InvalidUpload):
    """A file name must not contain the character {character}."""

    field = "file_name"


class FileTooLarge(DomainError):
    """The file is larger than {limit} bytes."""

    field = FILE_FIELD


class StorageQuotaExceeded(DomainError):
    """The owner's stored files would exceed {limit} bytes. Files of ended imports are deleted after their retention."""

    field = FILE_FIELD


class StorageFull(DomainError):
    """The storage is full. Try again later."""

    field = FILE_FIELD


class ImportEnded(DomainError):
    """The import has already ended. Its state is {state}."""


class ImportNotEnded(DomainError):
    """The import is {state}. Cancel it or wait for its end before you undo it."""


class NothingToUndo(DomainError):
    """The import was a dry run (validate_only). There is nothing to undo."""


class ImportStillUploading(DomainError):
    """The file is still being uploaded. Stop the upload instead."""


class LeaseLost(DomainError):
    """The lease with this fence has ended."""


class InvalidWorker(Invalid):
    """A worker name must have at most {limit} characters and no control characters."""

    field = "worker"


class BatchNotAtCheckpoint(Invalid):
    """The batch does not begin at the import's checkpoint."""

    field = "batch.begin"


class MalformedBatch(Invalid):
    """Malformed batch: {problem}."""

    field = "batch"


class IngestOutOfOrder(Invalid):
    """Messages out of order. Send open first, then batches, then finish."""


class UnknownParseFailure(Invalid):
    """Unknown parse failure. Use a code of the contract and a line of the file."""

    field = "finish.failure"


class NegativeOffset(Invalid):
    """The offset must be 0 or more."""

    field = "offset"


class OffsetBehindEnd(DomainError):
    """The offset is after the end of the file."""

    field = "offset"


class StoredFileChanged(DomainError):
    """The stored file differs from the uploaded one."""
