"""The JSON mapping of a field: what the encoder, the decoder and the OpenAPI document must agree on.

The contract uses few kinds of field, and so does the mapping. A field of any other kind stops the start until
its JSON form is decided here: a map, a float, bytes, or a well-known type other than Timestamp.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

from google.api import field_behavior_pb2
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp
from taskmanager.options.v1 import options_pb2

from gateway.transcoding.errors import UnsupportedContract


class Kind(Enum):
    """JSON form of a value."""

    STRING = auto()
    BOOLEAN = auto()
    INTEGER = auto()
    ENUM = auto()
    TIMESTAMP = auto()
    OBJECT = auto()


@dataclass(frozen=True, slots=True)
class IntegerRange:
    """The range of an integer type, both ends included."""

    minimum: int
    maximum: int


INTEGER_RANGES: Mapping[int, IntegerRange] = {
    FieldDescriptor.TYPE_INT32: IntegerRange(-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_INT64: IntegerRange(-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_UINT32: IntegerRange(0, 2**32 - 1),
    FieldDescriptor.TYPE_UINT64: IntegerRange(0, 2**64 - 1),
}

_SCALAR_KINDS: Mapping[int, Kind] = {
    FieldDescriptor.TYPE_STRING: Kind.STRING,
    FieldDescriptor.TYPE_BOOL: Kind.BOOLEAN,
    FieldDescriptor.TYPE_ENUM: Kind.ENUM,
    **dict.fromkeys(INTEGER_RANGES, Kind.INTEGER),
}


def kind_of(field: FieldDescriptor) -> Kind:
    """Return the JSON form of the field's value or, if the field is repeated, of its elements.

    Raises:
        UnsupportedContract: the mapping does not support the type.

    """
    kind = _SCALAR_KINDS.get(field.type)
    if kind is not None:
        return kind
    message = field.message_type
    if field.type == FieldDescriptor.TYPE_MESSAGE and message is not None:
        if message.full_name == Timestamp.DESCRIPTOR.full_name:
            return Kind.TIMESTAMP
        if not message.GetOptions().map_entry and not message.full_name.startswith("google."):
            return Kind.OBJECT
    raise UnsupportedContract(f"{field.full_name}: the JSON mapping does not support this type")


def message_type_of(field: FieldDescriptor) -> Descriptor:
    """Return the type of a message field."""
    if field.message_type is None:
        raise TypeError(field.full_name)
    return field.message_type


def enum_type_of(field: FieldDescriptor) -> EnumDescriptor:
    """Return the type of an enum field."""
    if field.enum_type is None:
        raise TypeError(field.full_name)
    return field.enum_type


def is_read_only(field: FieldDescriptor) -> bool:
    """Return True if only the server writes the field (google.api.field_behavior, AIP-203)."""
    return field_behavior_pb2.OUTPUT_ONLY in field.GetOptions().Extensions[field_behavior_pb2.field_behavior]


def is_required(field: FieldDescriptor) -> bool:
    """Return True if a request must fill the field. The services check this; the OpenAPI document states it."""
    return field_behavior_pb2.REQUIRED in field.GetOptions().Extensions[field_behavior_pb2.field_behavior]


def is_immutable(field: FieldDescriptor) -> bool:
    """Return True if the field of a resource is set at its creation and never changes (AIP-203)."""
    return field_behavior_pb2.IMMUTABLE in field.GetOptions().Extensions[field_behavior_pb2.field_behavior]


def is_always_set(field: FieldDescriptor) -> bool:
    """Return True if the field has a value in every response."""
    return field.GetOptions().Extensions[options_pb2.always_set]


def value_rule_of(field: FieldDescriptor) -> options_pb2.ValueRule:
    """Return the valid values of the field in a request. The services check them; the OpenAPI document states them."""
    return field.GetOptions().Extensions[options_pb2.value_rule]


def is_field_mask(field: FieldDescriptor) -> bool:
    """Return True for an update mask. Over REST it is the keys of the JSON object, or the query parameter with "*"."""
    return field.message_type is not None and field.message_type.full_name == FieldMask.DESCRIPTOR.full_name


def resource_field_of(request: Descriptor) -> FieldDescriptor | None:
    """Return the field that the request's update mask applies to: its only message. None if it has no mask.

    Raises:
        UnsupportedContract: there is a mask, but not exactly one message field that it can apply to.

    """
    if not any(map(is_field_mask, request.fields)):
        return None
    messages = [field for field in request.fields if field.message_type is not None and not is_field_mask(field)]
    if len(messages) != 1 or messages[0].is_repeated:
        raise UnsupportedContract(f"{request.full_name}: an update mask needs exactly one message field to apply to")
    return messages[0]


def item_limit_of(field: FieldDescriptor) -> options_pb2.ItemLimit | None:
    """Return the maximum number of items in the field's list; None if the contract sets none."""
    options = field.GetOptions()
    return options.Extensions[options_pb2.item_limit] if options.HasExtension(options_pb2.item_limit) else None


def enum_names_of(field: FieldDescriptor) -> dict[int, str | None]:
    """Return the JSON name of each enum number: "in_progress" for STATUS_IN_PROGRESS, None for UNSPECIFIED.

    Raises:
        UnsupportedContract: a value does not begin with the name of its type.

    """
    enum = enum_type_of(field)
    prefix = enum_value_prefix(enum.name)
    names: dict[int, str | None] = {}
    for value in enum.values:
        if not value.name.startswith(prefix):
            raise UnsupportedContract(f"{enum.full_name}: {value.name} does not begin with {prefix}")
        names[value.number] = value.name.removeprefix(prefix).lower()
    names[0] = None
    return names


def enum_value_prefix(enum_name: str) -> str:
    """Return the prefix of an enum's values, which JSON leaves out: ACTOR_ROLE_ for ActorRole."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", enum_name).upper() + "_"
