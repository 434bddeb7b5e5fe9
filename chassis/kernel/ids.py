"""Ids: UUIDs, created by the process that creates the object."""

from collections.abc import Callable
from uuid import UUID

from chassis.kernel.errors import Invalid, MissingField

NewId = Callable[[], UUID]
"""Function that creates an id which sorts after earlier ones (UUIDv7, RFC 9562 section 5.7)."""

UUID_LENGTH = 36
"""Characters of a UUID in its canonical form (RFC 9562 section 4)."""


class MalformedId(Invalid):
    """An id must be a UUID, such as 0190b5a6-7f6e-7cc0-98d6-2f8a4b3c1d2e."""


def parse_id(text: str, *, field: str) -> UUID:
    """Parse an id from a client.

    Raises:
        MissingField: the text is empty.
        MalformedId: the text is not a UUID in its canonical form.

    """
    if not text:
        raise MissingField(field=field)
    try:
        if len(text) != UUID_LENGTH:  # UUID() also accepts braces and a urn: prefix
            raise ValueError
        return UUID(text)
    except ValueError:
        raise MalformedId(field=field) from None
