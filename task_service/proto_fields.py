"""Conversion of a Timestamp field that a client sends. A pure function."""

from datetime import UTC, datetime

from google.protobuf.message import Message

from task_service.errors import MalformedTime


def timestamp_from_proto(message: Message, field: str) -> datetime | None:
    """Return the time in a Timestamp field, None when it is unset. Raises MalformedTime outside the years 1 to 9999."""
    if not message.HasField(field):
        return None
    try:
        time: datetime = getattr(message, field).ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise MalformedTime(field=field) from None
    return time
