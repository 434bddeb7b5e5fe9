"""Where a request has a place for what HTTP says by header: the idempotency key and the precondition."""

from dataclasses import dataclass

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from gateway.transcoding.dialect import resource_of
from gateway.transcoding.http_rules import Binding

KEY = "idempotency_key"
ETAG = "etag"


@dataclass(frozen=True, slots=True)
class Places:
    """What a request has room for.

    The place of a key is the request's field `idempotency_key`; that of an entity tag its field `etag`, or the `etag`
    of the resource that an update carries as its body.
    """

    takes_key: bool
    takes_etag: bool
    resource: str
    """The field that holds the etag's field; empty where it is the request's own."""


def places_of(binding: Binding, request: Descriptor) -> Places:
    """The places in one binding's request. Headers that it has no place for are not for it."""
    resource = resource_of(request)
    if resource is not None and resource.name == binding.body and resource.message_type is not None:
        in_resource = is_text(resource.message_type, ETAG)
        return Places(is_text(request, KEY), in_resource, resource.name if in_resource else "")
    return Places(is_text(request, KEY), binding.http_method != "GET" and is_text(request, ETAG), "")


def is_text(message: Descriptor, name: str) -> bool:
    """Whether the message has a single string field of this name."""
    field = message.fields_by_name.get(name)
    return field is not None and field.type == FieldDescriptor.TYPE_STRING and not field.is_repeated
