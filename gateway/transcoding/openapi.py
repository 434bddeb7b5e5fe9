"""The OpenAPI 3.1 document of the routes, from the same descriptors that make them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from gateway.transcoding.bind import query_fields
from gateway.transcoding.comments import Comments
from gateway.transcoding.contract import Rpc
from gateway.transcoding.dialect import is_required, message_of
from gateway.transcoding.error_schema import ERROR
from gateway.transcoding.http_rules import Binding
from gateway.transcoding.places import ETAG, KEY, places_of
from gateway.transcoding.schemas import Schema, Schemas

_FILE: Mapping[str, Schema] = {
    "multipart/form-data": {
        "schema": {
            "type": "object",
            "required": ["file"],
            "properties": {"file": {"type": "string", "contentMediaType": "text/csv", "format": "binary"}},
        }
    },
    "text/csv": {"schema": {"type": "string"}},
}
_PACKED: Mapping[str, Any] = {
    "name": "Content-Encoding",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "enum": ["gzip"]},
    "description": "How a raw body is compressed. Limits are on what it unpacks to.",
}


@dataclass(frozen=True, slots=True)
class Guide:
    """What the document says that no descriptor does."""

    title: str
    version: str
    introduction: str = ""
    # By the rpc's full name and the request's media type.
    examples: Mapping[tuple[str, str], object] = field(default_factory=dict)


def document(
    rpcs: Sequence[Rpc], *, uploads: Mapping[str, Descriptor], comments: Comments, guide: Guide
) -> dict[str, Any]:
    """The document.

    Args:
        rpcs: whose routes it tells of.
        uploads: for each client-streaming rpc, by full name, the message whose fields are its query parameters.
        comments: the contract's, which describe operations, parameters and schemas.
        guide: its title, and what else has no other source.

    Raises:
        UnsupportedContract: a type has no place in the JSON dialect.

    """
    paths = _Paths(uploads, comments, guide.examples)
    for number in range(max((len(rpc.bindings) for rpc in rpcs), default=0)):
        # Second paths behind all the first ones: a reader wants each operation once.
        for rpc in rpcs:
            if number < len(rpc.bindings):
                paths.add(rpc, rpc.bindings[number], number)
    services = dict.fromkeys(rpc.service for rpc in rpcs)
    return {
        "openapi": "3.1.0",
        "info": {"title": guide.title, "version": guide.version, "description": guide.introduction},
        "tags": [{"name": _tag(service), "description": _about(service, comments)} for service in services],
        "paths": paths.items,
        "components": {
            "schemas": {**paths.schemas.named, "Error": ERROR},
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "The `access_token` of a login.",
                }
            },
            "responses": {
                "Error": {
                    "description": "Anything but success. `error.code` is the HTTP status.",
                    "content": _json({"$ref": "#/components/schemas/Error"}),
                }
            },
        },
    }


class _Paths:
    """The document's paths, and the schemas that they name."""

    def __init__(
        self, uploads: Mapping[str, Descriptor], comments: Comments, examples: Mapping[tuple[str, str], object]
    ) -> None:
        self.items: dict[str, dict[str, Any]] = {}
        self.schemas = Schemas(comments)
        self._uploads = uploads
        self._comments = comments
        self._examples = examples

    def add(self, rpc: Rpc, binding: Binding, number: int) -> None:
        operation: dict[str, Any] = {
            "operationId": f"{rpc.name}{number + 1 if number else ''}",
            "tags": [_tag(rpc.service)],
            "summary": _same(rpc) if number else self._comments.summary_of(rpc.full_name) or rpc.name,
            "description": f"{self._comments.of(rpc.full_name)}\n\n{_who(rpc)}".strip(),
            "parameters": self._parameters(rpc, binding),
            "responses": {
                str(rpc.success_status): {"description": "Success.", "content": self._answer(rpc)},
                "default": {"$ref": "#/components/responses/Error"},
            },
            "security": [] if rpc.access.public else [{"bearer": []}],
        }
        if content := self._body(rpc, binding):
            operation["requestBody"] = {"required": True, "content": self._with_examples(rpc, content)}
        self.items.setdefault(binding.template.source, {})[binding.http_method.lower()] = operation

    def _parameters(self, rpc: Rpc, binding: Binding) -> list[dict[str, Any]]:
        if rpc.client_streaming:
            options = self._uploads[rpc.full_name]
            queries: Sequence[FieldDescriptor] = [field for field in options.fields if field.name != KEY]
        else:
            queries = query_fields(binding, rpc.request)
        in_path = [rpc.request.fields_by_name[name] for name in binding.template.variables]
        return [
            *(self._parameter(one, "path", required=True) for one in in_path),
            *(self._parameter(one, "query", required=is_required(one)) for one in queries),
            *self._headers(rpc, binding),
        ]

    def _headers(self, rpc: Rpc, binding: Binding) -> Iterator[dict[str, Any]]:
        """The headers that stand for fields of the request, and what may be said of an upload's body."""
        if rpc.client_streaming:
            yield dict(_PACKED)
        request = self._uploads.get(rpc.full_name, rpc.request)
        places = places_of(binding, request)
        if places.takes_key:
            yield self._parameter(request.fields_by_name[KEY], "header") | {"name": "Idempotency-Key"}
        if places.takes_etag:
            holder = message_of(request.fields_by_name[places.resource]) if places.resource else request
            yield self._parameter(holder.fields_by_name[ETAG], "header") | {"name": "If-Match"}

    def _parameter(self, one: FieldDescriptor, place: str, *, required: bool = False) -> dict[str, Any]:
        parameter = {"name": one.name, "in": place, "required": required, "schema": self.schemas.parameter(one)}
        description = self.schemas.description(one)
        return parameter | ({"description": description} if description else {})

    def _body(self, rpc: Rpc, binding: Binding) -> Mapping[str, Schema]:
        if not binding.body:
            return {}
        if rpc.client_streaming:
            return _FILE
        if binding.body != "*":
            return _json(self.schemas.reference(message_of(rpc.request.fields_by_name[binding.body])))
        if binding.template.variables:
            return _json(self.schemas.object(rpc.request, frozenset(binding.template.variables)))
        return _json(self.schemas.reference(rpc.request))

    def _with_examples(self, rpc: Rpc, content: Mapping[str, Schema]) -> Mapping[str, Schema]:
        return {
            media_type: {**one, "example": self._examples[key]}
            if (key := (rpc.full_name, media_type)) in self._examples
            else one
            for media_type, one in content.items()
        }

    def _answer(self, rpc: Rpc) -> Mapping[str, Schema]:
        if rpc.is_download:
            return {"text/csv": {"schema": {"type": "string"}}}
        schema = {"schema": self.schemas.reference(rpc.response)}
        if rpc.server_streaming:
            line = {"result": schema["schema"], "error": {"$ref": "#/components/schemas/Error/properties/error"}}
            lines = {"schema": {"type": "object", "properties": line, "maxProperties": 1}}
            return {"text/event-stream": schema, "application/x-ndjson": lines}
        return {"application/json": schema}


def _tag(service: str) -> str:
    """TaskService is Task: over HTTP nobody meets a service."""
    return service.rpartition(".")[2].removesuffix("Service")


def _about(service: str, comments: Comments) -> str:
    """A comment begins with its service's name, as buf's lint wants it; below the tag that would be said twice."""
    text = comments.of(service).removeprefix(f"{service.rpartition('.')[2]} ")
    return text[:1].upper() + text[1:]


def _same(rpc: Rpc) -> str:
    first = rpc.bindings[0]
    return f"The same as {first.http_method} {first.template.source}"


def _who(rpc: Rpc) -> str:
    if rpc.access.public:
        return "Open to everyone."
    roles, scopes = ", ".join(sorted(rpc.access.roles)), ", ".join(sorted(rpc.access.scopes))
    return " ".join([f"Roles: {roles}." if roles else "", f"Scopes: {scopes}." if scopes else ""]).strip()


def _json(schema: Schema) -> Mapping[str, Schema]:
    return {"application/json": {"schema": schema}}
