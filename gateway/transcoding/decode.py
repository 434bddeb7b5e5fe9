"""JSON objects to the fields of a message, compiled once from the descriptors. Everything that is wrong is reported."""

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message_factory import GetMessageClass
from taskmanager.options.v1.options_pb2 import ItemLimit

from gateway.transcoding.dialect import Kind, is_mask, is_read_only, item_limit_of, kind_of, message_of, resource_of
from gateway.transcoding.parse import Object
from gateway.transcoding.scalars import WrongValue, json_reader
from gateway.transcoding.violations import Violations

Read = Callable[[object, str, Violations], Any]
"""Turns a JSON value at a path into a field's value; notes what is wrong and answers None then."""


class MessageDecoder:
    """Turns JSON objects into the keyword arguments of one message type."""

    __slots__ = ("_read_only", "_readers", "_resource")

    def compile(self, descriptor: Descriptor, decoders: "Decoders") -> None:
        """Learns the type. Apart from construction, because a type may hold itself."""
        self._read_only = frozenset(field.name for field in descriptor.fields if is_read_only(field))
        self._readers: dict[str, Read] = {
            field.name: _reader(field, decoders) for field in descriptor.fields if not is_mask(field)
        }
        self._resource = resource_of(descriptor)

    def fields(
        self, value: object, path: str, violations: Violations, taken: AbstractSet[str] = frozenset()
    ) -> dict[str, Any]:
        """The values by field name. null means that the field is left out.

        Args:
            value: what stands at the path.
            path: "" for the body itself, else the field's name, such as "requests[0].task".
            violations: takes what is wrong.
            taken: fields that the URL has filled.

        """
        if not isinstance(value, Object):
            violations.add("WRONG_TYPE", path, "Must be an object." if path else "The body must be a JSON object.")
            return {}
        prefix = f"{path}." if path else ""
        for name in value.duplicates:
            violations.add("DUPLICATE_FIELD", prefix + name, "Is given more than once.")
        fields = {}
        for name, element in value.items():
            reader = self._readers.get(name)
            if reader is None:
                violations.add("UNKNOWN_FIELD", prefix + name, "There is no such field.")
            elif name in self._read_only:
                violations.add("READ_ONLY_FIELD", prefix + name, "Only the server writes this field.")
            elif name in taken:
                violations.add("DUPLICATE_FIELD", prefix + name, "Is given by the path already.")
            elif element is not None:
                fields[name] = reader(element, prefix + name, violations)
        if self._resource is not None and isinstance(value.get(self._resource.name), Object):
            fields["update_mask"] = mask_of(value[self._resource.name])
        return fields


def mask_of(resource: Object) -> FieldMask:
    """What an update of a resource writes: the keys that were sent, null ones too. Its etag is a condition.

    In one order, whatever the client's: a request that is repeated under an idempotency key is the same request.
    """
    return FieldMask(paths=sorted(name for name in resource if name != "etag"))


class Decoders:
    """The decoder of each message type, compiled when first asked for."""

    def __init__(self) -> None:
        self._compiled: dict[str, MessageDecoder] = {}

    def of(self, descriptor: Descriptor) -> MessageDecoder:
        """The decoder of a type.

        Raises:
            UnsupportedContract: a field's type has no place in the dialect.

        """
        name = descriptor.full_name
        if name not in self._compiled:
            decoder = self._compiled[name] = MessageDecoder()
            decoder.compile(descriptor, self)
        return self._compiled[name]


def _reader(field: FieldDescriptor, decoders: Decoders) -> Read:
    one = _object(field, decoders) if kind_of(field) is Kind.OBJECT else _scalar(field)
    return _each(one, item_limit_of(field)) if field.is_repeated else one


def _scalar(field: FieldDescriptor) -> Read:
    convert = json_reader(field)

    def read(value: object, path: str, violations: Violations) -> Any:
        try:
            return convert(value)
        except WrongValue as wrong:
            violations.add(wrong.reason, path, wrong.message)
            return None

    return read


def _object(field: FieldDescriptor, decoders: Decoders) -> Read:
    decoder = decoders.of(message_of(field))
    message_class = GetMessageClass(message_of(field))

    def read(value: object, path: str, violations: Violations) -> Any:
        return message_class(**decoder.fields(value, path, violations))

    return read


def _each(one: Read, limit: ItemLimit | None) -> Read:
    def read(value: object, path: str, violations: Violations) -> Any:
        if not isinstance(value, list):
            violations.add("WRONG_TYPE", path, "Must be a list.")
            return None
        # Before anything is made of them: `{}` takes no sender's time, and twenty microseconds to make a message of.
        if limit is not None and len(value) > limit.most:
            violations.add(limit.reason, path, f"Holds {len(value)} items, more than {limit.most}.")
            return None
        read_all = [one(element, f"{path}[{index}]", violations) for index, element in enumerate(value)]
        return [element for element in read_all if element is not None]

    return read
