"""Binding of an HTTP request (path, query string and body) to one request message."""

from collections.abc import Sequence
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from gateway.transcoding.http.header_fields import IDEMPOTENCY_KEY
from gateway.transcoding.http.http_rules import Binding
from gateway.transcoding.http.query_binder import QueryBinder
from gateway.transcoding.json_codec.decoder import Decoders, field_mask_of
from gateway.transcoding.json_codec.json_mapping import (
    is_read_only,
    message_type_of,
    resource_field_of,
)
from gateway.transcoding.json_codec.parser import JsonObject, parse_json
from gateway.transcoding.violations import Violations


class RequestBinder:
    """Builder of the request messages of one binding."""

    def __init__(self, binding: Binding, request: Descriptor, decoders: Decoders) -> None:
        self._variables = binding.template.variables
        self._path_fields = frozenset(self._variables)
        self._body = binding.body
        resource = resource_field_of(request)
        self._is_update = resource is not None and resource.name == binding.body
        self._request_class = GetMessageClass(request)
        self._query = QueryBinder(query_fields(binding, request))
        if binding.body == "*":
            self._decoder = decoders.get(request)
        elif binding.body:
            field = request.fields_by_name[binding.body]
            self._decoder = decoders.get(message_type_of(field))
            self._body_class = GetMessageClass(message_type_of(field))

    @property
    def has_body(self) -> bool:
        """True if the binding reads a body."""
        return bool(self._body)

    def __call__(self, path_values: Sequence[str], query: bytes, body: bytes) -> Message:
        """Build the request message.

        Args:
            path_values: the values of the path variables, from left to right.
            query: the raw query string.
            body: the raw JSON text. An empty body counts as {}, so that the service can name the missing fields.

        Raises:
            InvalidRequest: the request does not match the contract. It has all violations, unless the body is not JSON.

        """
        violations = Violations()
        fields: dict[str, Any] = dict(zip(self._variables, path_values, strict=True))
        fields |= self._query.fields(query, violations)
        if self._body:
            content = parse_json(body) if body else JsonObject([])
            if self._body == "*":
                fields |= self._decoder.fields(content, "", violations, self._path_fields)
            else:
                fields[self._body] = self._body_class(**self._decoder.fields(content, "", violations))
                if self._is_update and isinstance(content, JsonObject):
                    fields.setdefault("update_mask", field_mask_of(content))
        violations.raise_if_any()
        return self._request_class(**fields)

    def client_field_path(self, field: str) -> str | None:
        """Return a field path of the request as the client knows it: `title` for `task.title` if the body is the task.

        None means that the path is of no use to the client.
        """
        if self._body in {"", "*"}:
            return field or None
        return None if field == self._body else field.removeprefix(f"{self._body}.") or None


def query_fields(binding: Binding, request: Descriptor) -> tuple[FieldDescriptor, ...]:
    """Return the fields that are query parameters: those that neither the path nor the body fills."""
    if binding.body == "*":
        return ()
    # The idempotency key is only a header: access logs would record it as part of the URL.
    other_fields = {*binding.template.variables, binding.body, IDEMPOTENCY_KEY}
    return tuple(field for field in request.fields if field.name not in other_fields and not is_read_only(field))
