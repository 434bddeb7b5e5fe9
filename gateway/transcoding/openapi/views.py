"""Views of a message: requests and responses have different fields of it."""

from collections.abc import Mapping
from enum import Enum
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from gateway.transcoding.http.header_fields import ETAG
from gateway.transcoding.json_codec.json_mapping import (
    Kind,
    is_always_set,
    is_field_mask,
    is_immutable,
    is_read_only,
    is_required,
    kind_of,
    message_type_of,
    resource_field_of,
    value_rule_of,
)


class View(Enum):
    """Use of a message. The value is the suffix of the schema's name."""

    RESPONSE = ""
    """The server sends it."""
    REQUEST = "Request"
    """A client sends it: the message of a method, which the contract calls ...Request."""
    CREATE = "Create"
    """A client sends the resource to create."""
    UPDATE = "Update"
    """A client sends the fields of a resource to change."""
    UPSERT = "Upsert"
    """A client sends the fields of a resource to change or, if it does not exist, to create."""


_CHANGES = frozenset({View.UPDATE, View.UPSERT})
_KINDS_WITH_NULL = frozenset({Kind.OBJECT, Kind.TIMESTAMP, Kind.ENUM})


def view_in_request(field: FieldDescriptor) -> View:
    """Return the view of a message in a field of a request."""
    parent = field.containing_type
    if parent is None:
        raise TypeError(field.full_name)
    resource = resource_field_of(parent)
    if resource is None:
        return View.REQUEST if message_type_of(field).name.endswith(View.REQUEST.value) else View.CREATE
    # A request that changes a resource names it. One that names none may also create it.
    names_resource = any(is_required(other) for other in parent.fields if other.name != resource.name)
    return View.UPDATE if names_resource else View.UPSERT


def is_in(field: FieldDescriptor, view: View) -> bool:
    """Return True if the schema of the view has the field."""
    match view:
        case View.RESPONSE:
            return True
        case View.CREATE if field.name == ETAG:
            return False  # a precondition needs a resource
        case View.UPDATE if is_immutable(field):
            return False
        case _:
            return not (is_read_only(field) or is_field_mask(field))


def is_required_in(field: FieldDescriptor, view: View) -> bool:
    """Return True if the field is present in every valid message."""
    if view is View.RESPONSE:
        # The encoder leaves out only an optional scalar that is unset.
        return field.message_type is not None or not field.has_presence
    return view not in _CHANGES and is_required(field)


def is_nullable_in(field: FieldDescriptor, view: View) -> bool:
    """Return True if the field may be null."""
    if view is View.RESPONSE:
        # The encoder writes an unset message and an unspecified enum as null.
        may_be_null = not field.is_repeated and kind_of(field) in _KINDS_WITH_NULL
        return may_be_null and not is_always_set(field)
    # In a change, null resets a field to the default of a new resource.
    return view in _CHANGES and not (is_required(field) or is_immutable(field) or field.name == ETAG)


def text_rules(field: FieldDescriptor, view: View) -> Mapping[str, Any]:
    """Return the keywords of JSON Schema that restrict a text."""
    rule = value_rule_of(field)
    if view is View.RESPONSE:
        # An empty text has no format.
        return {"format": rule.format} if rule.format and is_always_set(field) else {}
    rules = {"format": rule.format, "minLength": rule.min_length, "maxLength": rule.max_length}
    return {name: value for name, value in rules.items() if value}
