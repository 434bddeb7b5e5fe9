"""The fields of a request message that HTTP headers fill: the idempotency key and the entity tag."""

from dataclasses import dataclass

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from gateway.transcoding.http.http_rules import Binding
from gateway.transcoding.json_codec.json_mapping import resource_field_of

IDEMPOTENCY_KEY = "idempotency_key"
ETAG = "etag"


@dataclass(frozen=True, slots=True)
class HeaderFields:
    """The header fields that a request message has.

    Idempotency-Key fills the field `idempotency_key` of the request. If-Match fills the field `etag` of the request, or
    the `etag` of the resource that an update carries as its body.
    """

    has_idempotency_key: bool
    has_etag: bool
    etag_parent: str
    """The field that holds the resource with the etag; empty if the etag is a field of the request itself."""


def header_fields_of(binding: Binding, request: Descriptor) -> HeaderFields:
    """Return the header fields of a binding's request.

    The gateway ignores an Idempotency-Key that has no field. It refuses an If-Match that has none in a write.
    """
    resource = resource_field_of(request)
    if resource is not None and resource.name == binding.body and resource.message_type is not None:
        is_in_resource = has_string_field(resource.message_type, ETAG)
        return HeaderFields(
            has_idempotency_key=has_string_field(request, IDEMPOTENCY_KEY),
            has_etag=is_in_resource,
            etag_parent=resource.name if is_in_resource else "",
        )
    return HeaderFields(
        has_idempotency_key=has_string_field(request, IDEMPOTENCY_KEY),
        has_etag=binding.http_method != "GET" and has_string_field(request, ETAG),
        etag_parent="",
    )


def has_string_field(message: Descriptor, name: str) -> bool:
    """Return True if the message has a singular string field of this name."""
    field = message.fields_by_name.get(name)
    return field is not None and field.type == FieldDescriptor.TYPE_STRING and not field.is_repeated
