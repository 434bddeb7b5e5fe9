"""JSON Schema of the dialect, from the descriptors (OpenAPI 3.1 uses JSON Schema 2020-12 as it is)."""

from collections.abc import Set as AbstractSet
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from gateway.transcoding.comments import Comments
from gateway.transcoding.dialect import (
    RANGES,
    Kind,
    is_mask,
    is_read_only,
    is_required,
    item_limit_of,
    kind_of,
    message_of,
    words_of,
)
from gateway.transcoding.http_rules import UnsupportedContract

Schema = dict[str, Any]


class Schemas:
    """The named schemas of a document, gathered while references to them are made."""

    def __init__(self, comments: Comments) -> None:
        self.named: dict[str, Schema] = {}
        self._comments = comments
        self._owners: dict[str, Descriptor] = {}

    def reference(self, descriptor: Descriptor) -> Schema:
        """A reference to a message's schema, which is made if it is new.

        Raises:
            UnsupportedContract: a message of another package has the same name.

        """
        name = descriptor.full_name.removeprefix(f"{descriptor.file.package}.")
        owner = self._owners.setdefault(name, descriptor)
        if owner.full_name != descriptor.full_name:
            raise UnsupportedContract(f"{owner.full_name} and {descriptor.full_name} would share a schema's name")
        if name not in self.named:
            self.named[name] = {}
            self.named[name].update(_described(self.object(descriptor), self._comments.of(descriptor.full_name)))
        return {"$ref": f"#/components/schemas/{name}"}

    def object(self, descriptor: Descriptor, without: AbstractSet[str] = frozenset()) -> Schema:
        """A message's own schema, less some fields.

        What is required is what a request must hold and, marked read-only and so for answers alone, what the server
        always fills in.
        """
        fields = [field for field in descriptor.fields if field.name not in without and not is_mask(field)]
        schema: Schema = {"type": "object", "properties": {field.name: self._property(field) for field in fields}}
        required = [field.name for field in fields if is_required(field) or is_read_only(field)]
        return schema | ({"required": required} if required else {})

    def parameter(self, field: FieldDescriptor) -> Schema:
        """A query parameter's schema: it may be absent, never null."""
        schema = self._value(field)
        return {"type": "array", "items": schema} if field.is_repeated else schema

    def description(self, field: FieldDescriptor) -> str:
        """What the field means, and what each of its words does."""
        meaning = self._comments.of(field.full_name)
        enum = field.enum_type
        if enum is None:
            return meaning
        words = [
            f"- `{word}`: {comment}"
            for number, word in words_of(field).items()
            if word and (comment := self._comments.of(f"{enum.full_name}.{enum.values_by_number[number].name}"))
        ]
        return "\n".join([meaning, "", *words] if words else [meaning])

    def _property(self, field: FieldDescriptor) -> Schema:
        schema = self._value(field)
        if field.is_repeated:
            limit = item_limit_of(field)
            schema = {"type": "array", "items": schema} | ({"maxItems": limit.most} if limit else {})
        elif field.has_presence or kind_of(field) is Kind.WORD:
            schema = _nullable(schema)
        return _described(schema, self.description(field)) | ({"readOnly": True} if is_read_only(field) else {})

    def _value(self, field: FieldDescriptor) -> Schema:
        match kind_of(field):
            case Kind.STRING:
                return {"type": "string"}
            case Kind.BOOLEAN:
                return {"type": "boolean"}
            case Kind.INTEGER:
                limits = RANGES[field.type]
                size = "int32" if limits.most < 2**32 else "int64"
                return {"type": "integer", "format": size}
            case Kind.WORD:
                return {"type": "string", "enum": [word for word in words_of(field).values() if word]}
            case Kind.TIMESTAMP:
                return {"type": "string", "format": "date-time"}
            case Kind.OBJECT:
                return self.reference(message_of(field))


def _described(schema: Schema, description: str) -> Schema:
    return schema | ({"description": description} if description else {})


def _nullable(schema: Schema) -> Schema:
    if "$ref" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    nullable = {**schema, "type": [schema["type"], "null"]}
    if "enum" in schema:
        nullable["enum"] = [*schema["enum"], None]
    return nullable
