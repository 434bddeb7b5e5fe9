"""JSON Schemas of the messages, built from the descriptors (OpenAPI 3.1 uses JSON Schema 2020-12 unchanged).

Requests and responses have schemas of their own, because a response has every field and a request only some. Every
message and every enum is a named component.
"""

from collections.abc import Mapping
from typing import Any

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from gateway.transcoding.errors import UnsupportedContract
from gateway.transcoding.http.header_fields import IDEMPOTENCY_KEY
from gateway.transcoding.json_codec.json_mapping import (
    INTEGER_RANGES,
    Kind,
    enum_names_of,
    is_field_mask,
    item_limit_of,
    kind_of,
    message_type_of,
    value_rule_of,
)
from gateway.transcoding.openapi.comments import Comments
from gateway.transcoding.openapi.views import (
    View,
    is_in,
    is_nullable_in,
    is_required_in,
    text_rules,
    view_in_request,
)

Schema = dict[str, Any]

_WITHOUT_RULES: Mapping[Kind, Schema] = {
    Kind.BOOLEAN: {"type": "boolean"},
    Kind.TIMESTAMP: {"type": "string", "format": "date-time"},
}


_USES: Mapping[View, str] = {
    View.CREATE: "These are the fields of a new one.",
    View.UPDATE: "These are the fields to change; null resets a field to its default.",
    View.UPSERT: "These are the fields to change, or those of a new one; null resets a field to its default.",
}


class Schemas:
    """The named schemas of a document. A reference to a new message or enum adds its schema."""

    def __init__(self, comments: Comments) -> None:
        self.by_name: dict[str, Schema] = {}
        self._comments = comments
        self._sources: dict[str, object] = {}

    def add(self, name: str, schema: Schema, source: object) -> Schema:
        """Add a schema, unless it was added before, and return a reference to it.

        Raises:
            UnsupportedContract: there is a schema of this name from another source.

        """
        if self._sources.setdefault(name, source) != source:
            raise UnsupportedContract(f"{self._sources[name]} and {source} have the same schema name")
        self.by_name.setdefault(name, schema)
        return {"$ref": f"#/components/schemas/{name}"}

    def response(self, descriptor: Descriptor) -> Schema:
        """Return a reference to the schema of a message that the server sends."""
        return self._message(descriptor, View.RESPONSE, frozenset())

    def request(self, descriptor: Descriptor, excluded: frozenset[str] = frozenset()) -> Schema:
        """Return a reference to the schema of a method's message, without the excluded fields."""
        return self._message(descriptor, View.REQUEST, excluded)

    def request_field(self, field: FieldDescriptor) -> Schema:
        """Return a reference to the schema of a request's field that is a message."""
        view = view_in_request(field)
        # The headers of the outermost request have the idempotency key of all nested ones.
        excluded = frozenset({IDEMPOTENCY_KEY}) if view is View.REQUEST else frozenset()
        return self._message(message_type_of(field), view, excluded)

    def parameter(self, field: FieldDescriptor) -> Schema:
        """Return the schema of a query parameter, which may be absent but never null."""
        if is_field_mask(field):
            return self.add("UpdateMask", {"type": "string", "enum": ["*"], "description": "All fields."}, "masks")
        return self._list_or_value(field, View.REQUEST)

    def parameter_description(self, field: FieldDescriptor) -> str:
        """Return the comment of the field and, for an enum, the comment of each value."""
        comment = self._comments.get(field.full_name)
        return comment if field.enum_type is None else f"{comment}\n\n{self._enum_values(field)}"

    def _message(self, descriptor: Descriptor, view: View, excluded: frozenset[str]) -> Schema:
        name = _name_of(descriptor)
        if view is View.REQUEST and not name.endswith(View.REQUEST.value):
            raise UnsupportedContract(f"{descriptor.full_name}: the name of a request must end with Request")
        schema: Schema = {}
        component = name if view is View.REQUEST else name + view.value
        reference = self.add(component, schema, (descriptor.full_name, view, excluded))
        # The new schema is empty: that ends the recursion of a type that contains itself.
        if self.by_name[component] is schema:
            schema.update(self._object(descriptor, view, excluded))
        return reference

    def _object(self, descriptor: Descriptor, view: View, excluded: frozenset[str]) -> Schema:
        fields = [field for field in descriptor.fields if field.name not in excluded and is_in(field, view)]
        required = [field.name for field in fields if is_required_in(field, view)]
        return {
            "type": "object",
            **_description(" ".join(filter(None, (self._comments.get(descriptor.full_name), _USES.get(view))))),
            **({"required": required} if required else {}),
            "properties": {field.name: self._property(field, view) for field in fields},
            # A request must not have unknown fields. A response may get new ones.
            **({} if view is View.RESPONSE else {"additionalProperties": False}),
        }

    def _property(self, field: FieldDescriptor, view: View) -> Schema:
        schema = self._list_or_value(field, view)
        if is_nullable_in(field, view):
            schema = _nullable(schema)
        return schema | _description(self._comments.get(field.full_name))

    def _list_or_value(self, field: FieldDescriptor, view: View) -> Schema:
        schema = self._value(field, view)
        if not field.is_repeated:
            return schema
        limit = item_limit_of(field)
        max_items = limit.max_items if limit else value_rule_of(field).max_items
        is_limited = max_items and view is not View.RESPONSE
        return {"type": "array", "items": schema} | ({"maxItems": max_items} if is_limited else {})

    def _value(self, field: FieldDescriptor, view: View) -> Schema:
        match kind_of(field):
            case Kind.STRING:
                return {"type": "string", **text_rules(field, view)}
            case Kind.BOOLEAN | Kind.TIMESTAMP as kind:
                return dict(_WITHOUT_RULES[kind])
            case Kind.INTEGER:
                limits = INTEGER_RANGES[field.type]
                return {"type": "integer", "format": "int32" if limits.maximum < 2**32 else "int64"}
            case Kind.ENUM:
                return self._enum(field)
            case Kind.OBJECT if view is View.RESPONSE:
                return self.response(message_type_of(field))
            case Kind.OBJECT:
                return self.request_field(field)

    def _enum(self, field: FieldDescriptor) -> Schema:
        enum = field.enum_type
        if enum is None:
            raise TypeError(field.full_name)
        comment = self._comments.get(enum.full_name)
        schema: Schema = {
            "type": "string",
            "description": f"{comment}\n\n{self._enum_values(field)}".strip(),
            "enum": [name for name in enum_names_of(field).values() if name],
        }
        return self.add(_name_of(enum), schema, enum.full_name)

    def _enum_values(self, field: FieldDescriptor) -> str:
        """Return a list of the enum's values with their comments."""
        enum = field.enum_type
        if enum is None:
            raise TypeError(field.full_name)
        comments = {
            name: self._comments.get(f"{enum.full_name}.{enum.values_by_number[number].name}")
            for number, name in enum_names_of(field).items()
            if name
        }
        return "\n".join(f"- `{name}`: {comment}" for name, comment in comments.items() if comment)


def _name_of(descriptor: Descriptor | EnumDescriptor) -> str:
    """Return the name without the package and the dots: generators make an identifier of it."""
    return descriptor.full_name.removeprefix(f"{descriptor.file.package}.").replace(".", "")


def _description(text: str) -> Schema:
    return {"description": text} if text else {}


def _nullable(schema: Schema) -> Schema:
    if "$ref" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    return {**schema, "type": [schema["type"], "null"]}
