"""Paths of fields in a request, for the violations of errors."""

from google.protobuf.descriptor import Descriptor


def find_field_path(request: Descriptor, field: str) -> str:
    """Return the path of the field that an error names; empty if the request does not have it.

    An error names a field of the resource, such as title. The request holds the resource: task.title.
    """
    if not field:
        return ""
    first, _, rest = field.partition(".")
    found = request.fields_by_name.get(first.partition("[")[0])
    if found is None:
        holders = (each.name for each in request.fields if not each.is_repeated and _has(each.message_type, first))
        return next((f"{holder}.{field}" for holder in holders), "")
    if not rest or found.message_type is None:
        return first
    path = find_field_path(found.message_type, rest)
    return f"{first}.{path}" if path else first


def _has(message: Descriptor | None, field: str) -> bool:
    return message is not None and field.partition("[")[0] in message.fields_by_name
