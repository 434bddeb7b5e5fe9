"""JSON Schemas of the messages, built from the descriptors (OpenAPI 3.1 uses JSON Schema 2020-12 unchanged)."""

from collections.abc import Set as AbstractSet
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from gateway.transcoding.errors import UnsupportedContract
from gateway.transcoding.json_codec.json_mapping import (
    INTEGER_RANGES,
    Kind,
    enum_names_of,
    is_field_mask,
    is_read_only,
    is_required,
    item_limit_of,
    kind_of,
    message_type_of,
)
from gateway.transcoding.openapi.comments import Comments

Schema = dict[str, Any]


class Schemas:
    """The named schemas of a document. A reference to a new message adds its schema."""

    def __init__(self, comments: Comments) -> None:
        self.by_name: dict[str, Schema] = {}
        self._comments = comments
        self._descriptors: dict[str, Descriptor] = {}

    def reference(self, descriptor: Descriptor) -> Schema:
        """Return a reference to the schema of a message.

        Raises:
            UnsupportedContract: a message of another package has the same name.

        """
        name = descriptor.full_name.removeprefix(f"{descriptor.file.package}.")
        registered = self._descriptors.setdefault(name, descriptor)
        if registered.full_name != descriptor.full_name:
            raise UnsupportedContract(f"{registered.full_name} and {descriptor.full_name} have the same schema name")
        if name not in self.by_name:
            # The empty schema ends the recursion of a type that contains itself.
            self.by_name[name] = {}
            description = self._comments.get(descriptor.full_name)
            self.by_name[name].update(_with_description(self.object(descriptor), description))
        return {"$ref": f"#/components/schemas/{name}"}

    def object(self, descriptor: Descriptor, excluded: AbstractSet[str] = frozenset()) -> Schema:
        """Return the schema of a message without the excluded fields.

        The required fields are those that a request must have and those that the server always fills in. The latter are
        read-only, and so are required in responses only.
        """
        fields = [field for field in descriptor.fields if field.name not in excluded and not is_field_mask(field)]
        schema: Schema = {"type": "object", "properties": {field.name: self._property(field) for field in fields}}
        required = [field.name for field in fields if is_required(field) or is_read_only(field)]
        return schema | ({"required": required} if required else {})

    def parameter(self, field: FieldDescriptor) -> Schema:
        """Return the schema of a query parameter, which may be absent but never null."""
        if is_field_mask(field):
            return {"type": "string", "enum": ["*"]}
        schema = self._value(field)
        return {"type": "array", "items": schema} if field.is_repeated else schema

    def description(self, field: FieldDescriptor) -> str:
        """Return the comment of the field and, for an enum, the comment of each value."""
        comment = self._comments.get(field.full_name)
        enum = field.enum_type
        if enum is None:
            return comment
        values = [
            f"- `{name}`: {value_comment}"
            for number, name in enum_names_of(field).items()
            if name and (value_comment := self._comments.get(f"{enum.full_name}.{enum.values_by_number[number].name}"))
        ]
        return "\n".join([comment, "", *values] if values else [comment])

    def _property(self, field: FieldDescriptor) -> Schema:
        schema = self._value(field)
        if field.is_repeated:
            limit = item_limit_of(field)
            schema = {"type": "array", "items": schema} | ({"maxItems": limit.max_items} if limit else {})
        elif field.has_presence or kind_of(field) is Kind.ENUM:
            schema = _nullable(schema)
        schema = _with_description(schema, self.description(field))
        return schema | ({"readOnly": True} if is_read_only(field) else {})

    def _value(self, field: FieldDescriptor) -> Schema:
        match kind_of(field):
            case Kind.STRING:
                return {"type": "string"}
            case Kind.BOOLEAN:
                return {"type": "boolean"}
            case Kind.INTEGER:
                limits = INTEGER_RANGES[field.type]
                integer_format = "int32" if limits.maximum < 2**32 else "int64"
                return {"type": "integer", "format": integer_format}
            case Kind.ENUM:
                return {"type": "string", "enum": [name for name in enum_names_of(field).values() if name]}
            case Kind.TIMESTAMP:
                return {"type": "string", "format": "date-time"}
            case Kind.OBJECT:
                return self.reference(message_type_of(field))


def _with_description(schema: Schema, description: str) -> Schema:
    return schema | ({"description": description} if description else {})


def _nullable(schema: Schema) -> Schema:
    if "$ref" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    nullable = {**schema, "type": [schema["type"], "null"]}
    if "enum" in schema:
        nullable["enum"] = [*schema["enum"], None]
    return nullable
