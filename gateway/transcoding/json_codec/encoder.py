"""Encoding of messages as JSON, compiled once from the descriptors.

json_format reads the descriptors again for every message. Here each message type has one compiled encoder. It reads all
fields in a single call of C code, and converts only those that JSON writes differently.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any

import orjson
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from gateway.transcoding.json_codec.json_mapping import Kind, enum_names_of, kind_of, message_type_of

Encode = Callable[[Any], Any]
"""Function that returns a value that orjson can write."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class MessageEncoder:
    """Encoder of one message type. The JSON object has every field, in the order of the contract."""

    __slots__ = (
        "_defaults",
        "_encoders_with_presence",
        "_encoders_without_presence",
        "_names_without_presence",
        "_read_values",
    )

    def compile(self, descriptor: Descriptor, encoders: "Encoders") -> None:
        """Compile the type. This is separate from construction because a type may contain itself."""
        fields = [(field, _field_encoder(field, encoders)) for field in descriptor.fields]
        without_presence = [(field.name, encode) for field, encode in fields if not field.has_presence]
        # An optional scalar, such as total_size, is the result of a request for it. Unrequested, it is left out.
        self._defaults: dict[str, Any] = {
            field.name: None for field in descriptor.fields if field.message_type is not None or not field.has_presence
        }
        self._names_without_presence = [name for name, _ in without_presence]
        self._read_values = _values_reader(self._names_without_presence)
        self._encoders_without_presence = [(name, encode) for name, encode in without_presence if encode]
        self._encoders_with_presence = [
            (field.name, encode or _identity) for field, encode in fields if field.has_presence
        ]

    def __call__(self, message: Message) -> dict[str, Any]:
        """Return the values by field name; an unset message field is None."""
        values = self._defaults.copy()
        values.update(zip(self._names_without_presence, self._read_values(message), strict=True))
        for name, encode in self._encoders_without_presence:
            values[name] = encode(values[name])
        has_field = message.HasField
        for name, encode in self._encoders_with_presence:
            if has_field(name):
                values[name] = encode(getattr(message, name))
        return values


class Encoders:
    """Cache of encoders by message type; each is compiled at its first use."""

    def __init__(self) -> None:
        self._compiled: dict[str, MessageEncoder] = {}

    def get(self, descriptor: Descriptor) -> Encode:
        """Return the encoder of a type.

        Raises:
            UnsupportedContract: the JSON mapping does not support the type of a field.

        """
        name = descriptor.full_name
        if name not in self._compiled:
            encoder = self._compiled[name] = MessageEncoder()
            encoder.compile(descriptor, self)
        return self._compiled[name]


def to_json(value: object) -> bytes:
    """Return the value as JSON text. Times must be in UTC."""
    return orjson.dumps(value, option=orjson.OPT_UTC_Z)


class _EnumNames(dict[int, str | None]):
    """Enum names by number. A number from a newer service, which this gateway does not know, stays a number."""

    def __missing__(self, number: int) -> Any:
        return number


def _values_reader(names: list[str]) -> Callable[[Message], tuple[Any, ...]]:
    if len(names) > 1:
        return attrgetter(*names)
    return lambda message: tuple(getattr(message, name) for name in names)


def _field_encoder(field: FieldDescriptor, encoders: Encoders) -> Encode | None:
    encode = _value_encoder(field, encoders)
    if not field.is_repeated:
        return encode
    return list if encode is None else lambda values: list(map(encode, values))


def _value_encoder(field: FieldDescriptor, encoders: Encoders) -> Encode | None:
    """Return the encoder of a single value; None if orjson writes the value without conversion."""
    match kind_of(field):
        case Kind.ENUM:
            return _EnumNames(enum_names_of(field)).__getitem__
        case Kind.TIMESTAMP:
            return _to_datetime
        case Kind.OBJECT:
            return encoders.get(message_type_of(field))
        case _:
            return None


def _identity(value: Any) -> Any:
    return value


def _to_datetime(timestamp: Any) -> datetime:
    """Convert to whole microseconds, the precision of Postgres. This is twice as fast as Timestamp.ToDatetime."""
    return _EPOCH + timedelta(0, timestamp.seconds, timestamp.nanos // 1000)
