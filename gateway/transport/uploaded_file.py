"""The file in an upload's body, read as it arrives and never held: the body itself, or a part of a form (RFC 7578)."""

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass

from multipart import (  # type: ignore[import-untyped]
    MultipartError,
    MultipartSegment,
    PushMultipartParser,
    parse_options_header,
)

from gateway.transport import failure

PART = "file"

_NO_FORM = (
    "The body is not multipart/form-data: parts behind the boundary that the Content-Type names, each with headers in"
    " UTF-8, and the boundary with two hyphens at the end."
)


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """What the client calls the file, or nothing, and its bytes. The bytes end only where the body ends properly."""

    name: str
    chunks: AsyncGenerator[bytes]
    encoding: str = ""
    """What a raw body says of itself, if anything."""


def charset(content_type: bytes) -> str:
    """The encoding that a content type names (for text/csv RFC 4180 section 3), or nothing."""
    _, parameters = parse_options_header(content_type.decode("latin-1"))
    return str(parameters.get("charset", ""))


async def file_in_form(content_type: bytes, body: AsyncIterator[bytes]) -> UploadedFile:
    """Reads up to where the file begins.

    Raises:
        Failure: the body is no form, or holds no part "file". Reading the chunks raises it too: when the form is cut
            short, or something follows the file.

    """
    events = _events(content_type, body)
    async for event in events:
        if isinstance(event, MultipartSegment):
            if event.name != PART:
                raise _unknown_part(event)
            return UploadedFile(event.filename or "", _content(events))
    raise failure.malformed_upload("FILE_MISSING", f"The body needs a part named {PART!r}.", PART)


async def _content(events: AsyncIterator[MultipartSegment | bytes]) -> AsyncGenerator[bytes]:
    async for event in events:
        if not isinstance(event, MultipartSegment):
            yield event
        elif event.name == PART:
            raise failure.malformed_upload("DUPLICATE_PART", f"The part {PART!r} is given more than once.", PART)
        else:
            raise _unknown_part(event)


async def _events(content_type: bytes, body: AsyncIterator[bytes]) -> AsyncIterator[MultipartSegment | bytes]:
    _, options = parse_options_header(content_type.decode("latin-1"))
    try:
        parser = PushMultipartParser(options.get("boundary", ""))
        async for chunk in body:
            for event in parser.parse(chunk):
                if event:
                    yield event
        # Complains unless the closing boundary has come.
        parser.close()
    except MultipartError as error:
        # The parser's own words are for programmers; some are a Python exception.
        raise failure.malformed_upload("MALFORMED_MULTIPART", _NO_FORM) from error


def _unknown_part(segment: MultipartSegment) -> failure.Failure:
    message = f"Only a part named {PART!r} is taken; options are query parameters."
    return failure.malformed_upload("UNKNOWN_PART", message, segment.name)
