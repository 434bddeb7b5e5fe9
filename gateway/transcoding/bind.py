"""One request message out of the three places where HTTP carries it: path, query string and body."""

from collections.abc import Sequence
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from gateway.transcoding.decode import Decoders, mask_of
from gateway.transcoding.dialect import is_mask, is_read_only, message_of, resource_of
from gateway.transcoding.http_rules import Binding
from gateway.transcoding.parse import Object, parse_json
from gateway.transcoding.query import QueryBinder
from gateway.transcoding.violations import Violations


class RequestBinder:
    """Builds the request of one binding."""

    def __init__(self, binding: Binding, request: Descriptor, decoders: Decoders) -> None:
        self._variables = binding.template.variables
        self._taken = frozenset(self._variables)
        self._body = binding.body
        resource = resource_of(request)
        self._is_update = resource is not None and resource.name == binding.body
        self._request_class = GetMessageClass(request)
        self.query_fields = query_fields(binding, request)
        self._query = QueryBinder(self.query_fields)
        if binding.body == "*":
            self._decoder = decoders.of(request)
        elif binding.body:
            field = request.fields_by_name[binding.body]
            self._decoder = decoders.of(message_of(field))
            self._body_class = GetMessageClass(message_of(field))

    @property
    def takes_body(self) -> bool:
        """Whether the binding reads a body at all."""
        return bool(self._body)

    def __call__(self, values: Sequence[str], query: bytes, body: bytes) -> Message:
        """The request.

        Args:
            values: the path's variables from left to right.
            query: the raw query string.
            body: the raw JSON text; an empty one counts as {}, so that the service can name what is missing.

        Raises:
            InvalidRequest: something is wrong, all of it named at once where the body can be read at all.

        """
        violations = Violations()
        fields: dict[str, Any] = dict(zip(self._variables, values, strict=True))
        fields |= self._query.fields(query, violations)
        if self._body:
            content = parse_json(body) if body else Object([])
            if self._body == "*":
                fields |= self._decoder.fields(content, "", violations, self._taken)
            else:
                fields[self._body] = self._body_class(**self._decoder.fields(content, "", violations))
                if self._is_update and isinstance(content, Object):
                    fields["update_mask"] = mask_of(content)
        violations.settle()
        return self._request_class(**fields)

    def spell(self, field: str) -> str | None:
        """A field path of the request as the client knows it: `task.title` is `title` where the body is the task."""
        if self._body in {"", "*"}:
            return field or None
        return None if field == self._body else field.removeprefix(f"{self._body}.") or None


def query_fields(binding: Binding, request: Descriptor) -> tuple[FieldDescriptor, ...]:
    """The fields that neither path nor body fills: they are query parameters."""
    if binding.body == "*":
        return ()
    # The key is a header's business: in a URL it would stand in every log.
    elsewhere = {*binding.template.variables, binding.body, "idempotency_key"}
    return tuple(
        field
        for field in request.fields
        if field.name not in elsewhere and not is_read_only(field) and not is_mask(field)
    )
