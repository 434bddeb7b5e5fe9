"""Limits of an upload's body: its media type, its compression and its size."""

from collections.abc import AsyncGenerator, Collection

from gateway.transport.errors import http_errors
from gateway.transport.request.http_request import HttpRequest
from gateway.transport.upload import gzip_body
from gateway.transport.upload.uploaded_file import MAX_OPTION_BYTES, UploadedFile, charset, open_form_file

MULTIPART = b"multipart/form-data"
CSV = b"text/csv"

# Allowance for boundaries, part headers, a preamble and options beside the file.
_MULTIPART_OVERHEAD_BYTES = 64 * 1024 + MAX_OPTION_BYTES


class UploadBodyReader:
    """Reader of upload bodies with a maximum file size, in bytes, an idle timeout and a minimum rate."""

    def __init__(
        self,
        *,
        max_bytes: int,
        idle_timeout_seconds: float,
        min_bytes_per_second: int,
        option_names: Collection[str],
    ) -> None:
        self._max_bytes = max_bytes
        self._idle_timeout_seconds = idle_timeout_seconds
        self._min_bytes_per_second = min_bytes_per_second
        self._option_names = option_names

    async def open_file(self, http_request: HttpRequest) -> UploadedFile:
        """Return the file, whose chunks are read from the body as they are needed.

        Raises:
            ClientDisconnected: the connection closed before the body ended.
            HttpError: the body is neither CSV nor a form with a file, has an unsupported compression, or is too large.

        """
        content_type = http_request.header(b"content-type")
        media_type = content_type.partition(b";")[0].strip().lower()
        if media_type not in {MULTIPART, CSV}:
            raise http_errors.unsupported_media_type("text/csv, or multipart/form-data with a part named 'file'")
        is_compressed = _is_compressed(http_request, media_type)
        max_body_bytes = gzip_body.max_compressed_size(self._max_bytes) if is_compressed else self._max_bytes
        if media_type == MULTIPART:
            max_body_bytes += _MULTIPART_OVERHEAD_BYTES
        if (http_request.content_length() or 0) > max_body_bytes:
            raise http_errors.file_too_large(self._max_bytes)
        chunks = self._limited_chunks(http_request, max_body_bytes)
        if media_type == MULTIPART:
            return await open_form_file(content_type, chunks, self._option_names)
        return UploadedFile("", gzip_body.decompress(chunks) if is_compressed else chunks, charset(content_type))

    async def _limited_chunks(self, http_request: HttpRequest, max_body_bytes: int) -> AsyncGenerator[bytes]:
        received = 0
        body = http_request.chunks(
            idle_timeout_seconds=self._idle_timeout_seconds, min_bytes_per_second=self._min_bytes_per_second
        )
        async for chunk in body:
            received += len(chunk)
            if received > max_body_bytes:
                raise http_errors.file_too_large(self._max_bytes)
            yield chunk


def _is_compressed(http_request: HttpRequest, media_type: bytes) -> bool:
    """Return True if the body is gzip, which only a raw body may be."""
    encoding = http_request.header(b"content-encoding").strip().lower()
    if encoding in {b"", b"identity"}:
        return False
    if media_type == CSV and encoding in gzip_body.CONTENT_CODINGS:
        return True
    raise http_errors.unsupported_encoding("gzip" if media_type == CSV else "identity")
