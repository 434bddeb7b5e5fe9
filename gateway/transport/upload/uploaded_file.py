"""The file in the body of an upload, read as it arrives: the raw body, or a part of a form (RFC 7578)."""

from collections.abc import AsyncGenerator, AsyncIterator, Collection
from dataclasses import dataclass
from urllib.parse import urlencode

from multipart import (  # type: ignore[import-untyped]
    MultipartError,
    MultipartSegment,
    PushMultipartParser,
    parse_options_header,
)

from chassis.kernel.suggestions import close_names, did_you_mean
from gateway.transcoding.http.upload_form import FILE_PART
from gateway.transport.errors import http_errors
from gateway.transport.errors.http_errors import HttpError

MAX_OPTION_BYTES = 64 * 1024
"""Maximum size of all options in a form."""

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
    options: bytes = b""
    """The form's parts before the file, as a query string."""


def charset(content_type: bytes) -> str:
    """Return the charset parameter of a Content-Type (for text/csv: RFC 4180 section 3), or an empty text."""
    _, parameters = parse_options_header(content_type.decode("latin-1"))
    return str(parameters.get("charset", ""))


async def open_form_file(
    content_type: bytes, body: AsyncIterator[bytes], option_names: Collection[str]
) -> UploadedFile:
    """Read the form up to the content of its file.

    Raises:
        HttpError: the body is not a form, or a part before "file" is not an option. Reading the chunks raises it if the
            form is truncated or has another part after the file.

    """
    options: list[tuple[str, bytearray]] = []
    size = 0
    events = _parse_form(content_type, body)
    async for event in events:
        if not isinstance(event, MultipartSegment):
            size += len(event)
            if size > MAX_OPTION_BYTES:
                message = f"The options of the form are larger than {MAX_OPTION_BYTES} bytes."
                raise http_errors.malformed_upload("OPTIONS_TOO_LARGE", message, options[-1][0])
            options[-1][1].extend(event)
        elif event.name == FILE_PART:
            return UploadedFile(
                event.filename or "", _file_content(events, option_names), options=_query_string(options)
            )
        elif event.name in option_names and not event.filename:
            options.append((event.name, bytearray()))
            size += len(event.name)
        elif event.name in option_names:
            message = f"Send the part {event.name!r} as text, without a file name."
            raise http_errors.malformed_upload("UNKNOWN_PART", message, event.name)
        else:
            raise _unknown_part(event, option_names)
    raise http_errors.malformed_upload("FILE_MISSING", f"The form has no part named {FILE_PART!r}.", FILE_PART)


def _query_string(options: list[tuple[str, bytearray]]) -> bytes:
    for name, value in options:
        try:
            value.decode()
        except UnicodeDecodeError:
            message = "The part is not UTF-8 text."
            raise http_errors.malformed_upload("MALFORMED_PART", message, name) from None
    return urlencode([(name, bytes(value)) for name, value in options]).encode()


async def _file_content(
    events: AsyncIterator[MultipartSegment | bytes], option_names: Collection[str]
) -> AsyncGenerator[bytes]:
    async for event in events:
        if not isinstance(event, MultipartSegment):
            yield event
        elif event.name == FILE_PART:
            message = f"The form has more than one part named {FILE_PART!r}. Send one file."
            raise http_errors.malformed_upload("DUPLICATE_PART", message, FILE_PART)
        elif event.name in option_names:
            message = f"Send the part {event.name!r} before the part {FILE_PART!r}."
            raise http_errors.malformed_upload("UNKNOWN_PART", message, event.name)
        else:
            raise _unknown_part(event, option_names)


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


def _unknown_part(segment: MultipartSegment, option_names: Collection[str]) -> HttpError:
    question = did_you_mean(close_names(segment.name, option_names))
    message = f"Unknown part.{question} Send options by their names, and then one part named {FILE_PART!r}."
    return http_errors.malformed_upload("UNKNOWN_PART", message, segment.name)
