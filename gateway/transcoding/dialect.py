"""What the encoder, the decoder and the documentation must agree on about one field.

The contract uses few kinds of field, and so does the dialect. A field of any other kind (a map, a float, bytes, a
well-known type but Timestamp) stops start-up until somebody decides how it is written in JSON.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

from google.api import field_behavior_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp
from taskmanager.options.v1 import options_pb2

from gateway.transcoding.http_rules import UnsupportedContract


class Kind(Enum):
    """How a value is written in JSON."""

    STRING = auto()
    BOOLEAN = auto()
    INTEGER = auto()
    WORD = auto()
    TIMESTAMP = auto()
    OBJECT = auto()


@dataclass(frozen=True, slots=True)
class Range:
    """The numbers that an integer type holds, both ends included."""

    least: int
    most: int


RANGES: Mapping[int, Range] = {
    FieldDescriptor.TYPE_INT32: Range(-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_INT64: Range(-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_UINT32: Range(0, 2**32 - 1),
    FieldDescriptor.TYPE_UINT64: Range(0, 2**64 - 1),
}

_SCALARS: Mapping[int, Kind] = {
    FieldDescriptor.TYPE_STRING: Kind.STRING,
    FieldDescriptor.TYPE_BOOL: Kind.BOOLEAN,
    FieldDescriptor.TYPE_ENUM: Kind.WORD,
    **dict.fromkeys(RANGES, Kind.INTEGER),
}


def kind_of(field: FieldDescriptor) -> Kind:
    """How the field's values, or its elements, are written.

    Raises:
        UnsupportedContract: the dialect has no word for the type.

    """
    kind = _SCALARS.get(field.type)
    if kind is not None:
        return kind
    message = field.message_type
    if field.type == FieldDescriptor.TYPE_MESSAGE and message is not None:
        if message.full_name == Timestamp.DESCRIPTOR.full_name:
            return Kind.TIMESTAMP
        if not message.GetOptions().map_entry and not message.full_name.startswith("google."):
            return Kind.OBJECT
    raise UnsupportedContract(f"{field.full_name}: the JSON dialect has no word for this type")


def message_of(field: FieldDescriptor) -> Descriptor:
    """The type of a field that holds messages."""
    if field.message_type is None:
        raise TypeError(field.full_name)
    return field.message_type


def is_read_only(field: FieldDescriptor) -> bool:
    """Whether only the server writes the field (google.api.field_behavior, AIP-203)."""
    return field_behavior_pb2.OUTPUT_ONLY in field.GetOptions().Extensions[field_behavior_pb2.field_behavior]


def is_mask(field: FieldDescriptor) -> bool:
    """Whether the field names the fields that an update writes. REST clients never spell it: their keys say it."""
    return field.message_type is not None and field.message_type.full_name == FieldMask.DESCRIPTOR.full_name


def resource_of(request: Descriptor) -> FieldDescriptor | None:
    """The field that a request's mask speaks of: its only message. None where the request has no mask.

    Raises:
        UnsupportedContract: there is a mask, and no or more than one message that it could speak of.

    """
    if not any(map(is_mask, request.fields)):
        return None
    messages = [field for field in request.fields if field.message_type is not None and not is_mask(field)]
    if len(messages) != 1 or messages[0].is_repeated:
        raise UnsupportedContract(f"{request.full_name}: it is not clear which field the mask speaks of")
    return messages[0]


def is_required(field: FieldDescriptor) -> bool:
    """Whether a request must fill the field. The services check it; the documentation says it."""
    return field_behavior_pb2.REQUIRED in field.GetOptions().Extensions[field_behavior_pb2.field_behavior]


def item_limit_of(field: FieldDescriptor) -> options_pb2.ItemLimit | None:
    """How many items the field's list may hold, where the contract says so."""
    options = field.GetOptions()
    return options.Extensions[options_pb2.item_limit] if options.HasExtension(options_pb2.item_limit) else None


def words_of(field: FieldDescriptor) -> dict[int, str | None]:
    """The word of each number of the field's enum: STATUS_IN_PROGRESS is "in_progress", UNSPECIFIED is no word at all.

    Raises:
        UnsupportedContract: a value does not begin with its type's name.

    """
    enum = field.enum_type
    if enum is None:
        raise TypeError(field.full_name)
    prefix = word_prefix(enum.name)
    words: dict[int, str | None] = {}
    for value in enum.values:
        if not value.name.startswith(prefix):
            raise UnsupportedContract(f"{enum.full_name}: {value.name} does not begin with {prefix}")
        words[value.number] = value.name.removeprefix(prefix).lower()
    words[0] = None
    return words


def word_prefix(enum_name: str) -> str:
    """What an enum's values begin with and their words don't: ActorRole's with ACTOR_ROLE_."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", enum_name).upper() + "_"
