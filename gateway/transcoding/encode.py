"""Messages to JSON, compiled once from the descriptors.

json_format walks the descriptors again for every message; here each message type becomes one encoder that reads all
its fields in a single call of C code and touches only those that JSON writes differently.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any

import orjson
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from gateway.transcoding.dialect import Kind, kind_of, message_of, words_of

Convert = Callable[[Any], Any]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class MessageEncoder:
    """Turns messages of one type into what orjson writes. Every field is there, in the contract's order."""

    __slots__ = ("_always", "_convert_always", "_convert_present", "_empty", "_read")

    def compile(self, descriptor: Descriptor, encoders: "Encoders") -> None:
        """Learns the type. Apart from construction, because a type may hold itself."""
        converts = [(field, _converter(field, encoders)) for field in descriptor.fields]
        always = [(field.name, convert) for field, convert in converts if not field.has_presence]
        # A single value that can be unset, such as total_size, is an answer to a question: unasked, it is left out.
        self._empty: dict[str, Any] = {
            field.name: None for field in descriptor.fields if field.message_type is not None or not field.has_presence
        }
        self._always = [name for name, _ in always]
        self._read = _reader(self._always)
        self._convert_always = [(name, convert) for name, convert in always if convert]
        self._convert_present = [
            (field.name, convert or _as_it_is) for field, convert in converts if field.has_presence
        ]

    def __call__(self, message: Message) -> dict[str, Any]:
        """The message's fields by name; a message that is unset is None."""
        fields = self._empty.copy()
        fields.update(zip(self._always, self._read(message), strict=True))
        for name, convert in self._convert_always:
            fields[name] = convert(fields[name])
        is_set = message.HasField
        for name, convert in self._convert_present:
            if is_set(name):
                fields[name] = convert(getattr(message, name))
        return fields


class Encoders:
    """The encoder of each message type, compiled when first asked for."""

    def __init__(self) -> None:
        self._compiled: dict[str, MessageEncoder] = {}

    def of(self, descriptor: Descriptor) -> Convert:
        """The encoder of a type.

        Raises:
            UnsupportedContract: a field's type has no place in the dialect.

        """
        name = descriptor.full_name
        if name not in self._compiled:
            encoder = self._compiled[name] = MessageEncoder()
            encoder.compile(descriptor, self)
        return self._compiled[name]


def to_json(value: object) -> bytes:
    """The bytes of a JSON text. Times must be in UTC."""
    return orjson.dumps(value, option=orjson.OPT_UTC_Z)


class _Words(dict[int, str | None]):
    """Words by number. A number that a newer service sent and this gateway does not know yet stays a number."""

    def __missing__(self, number: int) -> Any:
        return number


def _reader(names: list[str]) -> Callable[[Message], tuple[Any, ...]]:
    if len(names) > 1:
        return attrgetter(*names)
    return lambda message: tuple(getattr(message, name) for name in names)


def _converter(field: FieldDescriptor, encoders: Encoders) -> Convert | None:
    convert = _single(field, encoders)
    if not field.is_repeated:
        return convert
    return list if convert is None else lambda values: list(map(convert, values))


def _single(field: FieldDescriptor, encoders: Encoders) -> Convert | None:
    match kind_of(field):
        case Kind.WORD:
            return _Words(words_of(field)).__getitem__
        case Kind.TIMESTAMP:
            return _time
        case Kind.OBJECT:
            return encoders.of(message_of(field))
        case _:
            return None


def _as_it_is(value: Any) -> Any:
    return value


def _time(timestamp: Any) -> datetime:
    """Whole microseconds, as Postgres keeps them; twice as fast as Timestamp.ToDatetime."""
    return _EPOCH + timedelta(0, timestamp.seconds, timestamp.nanos // 1000)
