"""Decoding of JSON objects to message fields, compiled once from the descriptors. It reports all violations."""

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message_factory import GetMessageClass
from taskmanager.options.v1.options_pb2 import ItemLimit

from chassis.kernel.suggestions import close_names, did_you_mean
from gateway.transcoding.json_codec.json_mapping import (
    Kind,
    is_field_mask,
    is_read_only,
    item_limit_of,
    kind_of,
    message_type_of,
    resource_field_of,
)
from gateway.transcoding.json_codec.parser import JsonObject
from gateway.transcoding.json_codec.scalars import InvalidValue, json_reader
from gateway.transcoding.violations import Violations

Decode = Callable[[object, str, Violations], Any]
"""Function that returns the field's value for the JSON value at a path.

For an invalid value it adds a violation and returns None.
"""


class MessageDecoder:
    """Decoder of JSON objects to the keyword arguments of one message type."""

    __slots__ = ("_decoders", "_read_only", "_resource")

    def compile(self, descriptor: Descriptor, decoders: "Decoders") -> None:
        """Compile the type. This is separate from construction because a type may contain itself."""
        self._read_only = frozenset(field.name for field in descriptor.fields if is_read_only(field))
        self._decoders: dict[str, Decode] = {
            field.name: _field_decoder(field, decoders) for field in descriptor.fields if not is_field_mask(field)
        }
        self._resource = resource_field_of(descriptor)

    def fields(
        self, value: object, path: str, violations: Violations, path_fields: AbstractSet[str] = frozenset()
    ) -> dict[str, Any]:
        """Return the values by field name. A JSON null counts as an absent field.

        Args:
            value: the JSON value at the path.
            path: "" for the body itself, else the path of the field, such as "requests[0].task".
            violations: receives the violations.
            path_fields: the fields that the URL path fills.

        """
        if not isinstance(value, JsonObject):
            violations.add("WRONG_TYPE", path, "Must be an object." if path else "The body must be a JSON object.")
            return {}
        prefix = f"{path}." if path else ""
        for name in value.duplicates:
            violations.add("DUPLICATE_FIELD", prefix + name, "Must be given only once.")
        fields = {}
        for name, element in value.items():
            decode = self._decoders.get(name)
            if decode is None:
                question = did_you_mean(close_names(name, self._decoders.keys() - self._read_only))
                violations.add("UNKNOWN_FIELD", prefix + name, f"Unknown field.{question} See /docs.")
            elif name in self._read_only:
                violations.add("READ_ONLY_FIELD", prefix + name, "Read-only: only the server sets this field.")
            elif name in path_fields:
                violations.add("DUPLICATE_FIELD", prefix + name, "Must not be in the body: the path gives it.")
            elif element is not None:
                fields[name] = decode(element, prefix + name, violations)
        if self._resource is not None and isinstance(value.get(self._resource.name), JsonObject):
            fields["update_mask"] = field_mask_of(value[self._resource.name])
        return fields


def field_mask_of(resource: JsonObject) -> FieldMask:
    """Return the update mask of a resource: the keys that were sent, those with null too, without the etag.

    The etag is a precondition. The paths are sorted, because the order of the keys must not make a request with an
    idempotency key differ from its repetition.
    """
    return FieldMask(paths=sorted(name for name in resource if name != "etag"))


class Decoders:
    """Cache of decoders by message type; each is compiled at its first use."""

    def __init__(self) -> None:
        self._compiled: dict[str, MessageDecoder] = {}

    def get(self, descriptor: Descriptor) -> MessageDecoder:
        """Return the decoder of a type.

        Raises:
            UnsupportedContract: the JSON mapping does not support the type of a field.

        """
        name = descriptor.full_name
        if name not in self._compiled:
            decoder = self._compiled[name] = MessageDecoder()
            decoder.compile(descriptor, self)
        return self._compiled[name]


def _field_decoder(field: FieldDescriptor, decoders: Decoders) -> Decode:
    decode = _object_decoder(field, decoders) if kind_of(field) is Kind.OBJECT else _scalar_decoder(field)
    return _list_decoder(decode, item_limit_of(field)) if field.is_repeated else decode


def _scalar_decoder(field: FieldDescriptor) -> Decode:
    read = json_reader(field)

    def decode(value: object, path: str, violations: Violations) -> Any:
        try:
            return read(value)
        except InvalidValue as error:
            violations.add(error.reason, path, error.message)
            return None

    return decode


def _object_decoder(field: FieldDescriptor, decoders: Decoders) -> Decode:
    decoder = decoders.get(message_type_of(field))
    message_class = GetMessageClass(message_type_of(field))

    def decode(value: object, path: str, violations: Violations) -> Any:
        return message_class(**decoder.fields(value, path, violations))

    return decode


def _list_decoder(decode_item: Decode, limit: ItemLimit | None) -> Decode:
    def decode(value: object, path: str, violations: Violations) -> Any:
        if not isinstance(value, list):
            violations.add("WRONG_TYPE", path, "Must be a list.")
            return None
        # Check the length before decoding: `{}` is free to send but costs 20 us to decode.
        if limit is not None and len(value) > limit.max_items:
            violations.add(limit.reason, path, f"Has {len(value)} items. Send at most {limit.max_items}.")
            return None
        items = [decode_item(item, f"{path}[{index}]", violations) for index, item in enumerate(value)]
        return [item for item in items if item is not None]

    return decode
