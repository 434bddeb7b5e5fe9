"""The file in the body of an upload, read as it arrives: the raw body, or a part of a form (RFC 7578)."""

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass

from multipart import (  # type: ignore[import-untyped]
    MultipartError,
    MultipartSegment,
    PushMultipartParser,
    parse_options_header,
)

from gateway.transport.errors import http_errors
from gateway.transport.errors.http_errors import HttpError

FILE_PART = "file"

_MALFORMED_MULTIPART = (
    "The body is not multipart/form-data. Each part needs the boundary of the Content-Type before it and headers in"
    " UTF-8; the last boundary needs two hyphens after it."
)


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """An uploaded file. Reading its chunks raises HttpError unless the body ends as it must."""

    name: str
    """The file name in the form; empty for a raw body."""
    chunks: AsyncGenerator[bytes]
    encoding: str = ""
    """The charset in the Content-Type of a raw body; empty if there is none."""


def charset(content_type: bytes) -> str:
    """Return the charset parameter of a Content-Type (for text/csv: RFC 4180 section 3), or an empty text."""
    _, parameters = parse_options_header(content_type.decode("latin-1"))
    return str(parameters.get("charset", ""))


async def open_form_file(content_type: bytes, body: AsyncIterator[bytes]) -> UploadedFile:
    """Read the form up to the content of its file.

    Raises:
        HttpError: the body is not a form, or its first part is not "file". Reading the chunks raises it if the form is
            truncated or has another part after the file.

    """
    events = _parse_form(content_type, body)
    async for event in events:
        if isinstance(event, MultipartSegment):
            if event.name != FILE_PART:
                raise _unknown_part(event)
            return UploadedFile(event.filename or "", _file_content(events))
    raise http_errors.malformed_upload("FILE_MISSING", f"The form has no part named {FILE_PART!r}.", FILE_PART)


async def _file_content(events: AsyncIterator[MultipartSegment | bytes]) -> AsyncGenerator[bytes]:
    async for event in events:
        if not isinstance(event, MultipartSegment):
            yield event
        elif event.name == FILE_PART:
            message = f"The form has more than one part named {FILE_PART!r}. Send one file."
            raise http_errors.malformed_upload("DUPLICATE_PART", message, FILE_PART)
        else:
            raise _unknown_part(event)


async def _parse_form(content_type: bytes, body: AsyncIterator[bytes]) -> AsyncIterator[MultipartSegment | bytes]:
    """Yield a segment at the start of each part, and the bytes of its content."""
    _, parameters = parse_options_header(content_type.decode("latin-1"))
    try:
        parser = PushMultipartParser(parameters.get("boundary", ""))
        async for chunk in body:
            for event in parser.parse(chunk):
                if event:
                    yield event
        # Raises unless the closing boundary has arrived.
        parser.close()
    except MultipartError as error:
        # The parser's own messages are for programmers; some are the text of a Python exception.
        raise http_errors.malformed_upload("MALFORMED_MULTIPART", _MALFORMED_MULTIPART) from error


def _unknown_part(segment: MultipartSegment) -> HttpError:
    message = f"Unknown part. Send only a part named {FILE_PART!r}, and options as query parameters."
    return http_errors.malformed_upload("UNKNOWN_PART", message, segment.name)
