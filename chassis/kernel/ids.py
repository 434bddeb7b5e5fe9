"""Ids: UUIDs, created by the process that creates the object."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from chassis.kernel.errors import Invalid, MissingField

NewId = Callable[[], UUID]
"""Function that creates an id which sorts after earlier ones (UUIDv7, RFC 9562 section 5.7)."""

UUID_LENGTH = 36
"""Characters of a UUID in its canonical form (RFC 9562 section 4)."""


class MalformedId(Invalid):
    """An id must be a UUID, such as 0190b5a6-7f6e-7cc0-98d6-2f8a4b3c1d2e."""


FIRST_ID, LAST_ID = UUID(int=0), UUID(int=(1 << 128) - 1)
"""The smallest and the largest id."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_MAX_MILLISECONDS = (1 << 48) - 1


def first_id_at(moment: datetime) -> UUID:
    """Return the smallest UUIDv7 whose time is not before the moment.

    RFC 9562 section 5.7: the first 48 bits are milliseconds.
    """
    milliseconds = -((_EPOCH - moment) // _MILLISECOND)  # rounded up
    return LAST_ID if milliseconds > _MAX_MILLISECONDS else UUID(int=max(milliseconds, 0) << 80)


def last_id_at(moment: datetime) -> UUID:
    """Return the largest UUIDv7 whose time is not after the moment."""
    milliseconds = (moment - _EPOCH) // _MILLISECOND
    return FIRST_ID if milliseconds < 0 else UUID(int=((min(milliseconds, _MAX_MILLISECONDS) + 1) << 80) - 1)


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
