"""The OpenAPI 3.1 document of the routes, built from the same descriptors as the routes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from gateway.transcoding.contract import Rpc
from gateway.transcoding.http.header_fields import ETAG, IDEMPOTENCY_KEY, header_fields_of
from gateway.transcoding.http.http_rules import Binding
from gateway.transcoding.http.request_binder import query_fields
from gateway.transcoding.json_codec.json_mapping import is_required, message_type_of
from gateway.transcoding.openapi.comments import Comments
from gateway.transcoding.openapi.error_schema import ERROR_SCHEMA
from gateway.transcoding.openapi.schemas import Schema, Schemas

_UPLOAD_CONTENT: Mapping[str, Schema] = {
    "multipart/form-data": {
        "schema": {
            "type": "object",
            "description": "The parameters of the query may also be parts of the form. They go before the file.",
            "required": ["file"],
            "properties": {"file": {"type": "string", "contentMediaType": "text/csv", "format": "binary"}},
        }
    },
    "text/csv": {"schema": {"type": "string"}},
}
_CONTENT_ENCODING_PARAMETER: Mapping[str, Any] = {
    "name": "Content-Encoding",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "enum": ["gzip"]},
    "description": "Compression of a raw body. The size limit applies to the uncompressed file.",
}


@dataclass(frozen=True, slots=True)
class OpenApiInfo:
    """The texts of the document that no descriptor has."""

    title: str
    version: str
    description: str = ""
    examples: Mapping[tuple[str, str], object] = field(default_factory=dict)
    """Example request bodies by full name of the rpc and media type."""


def build_document(
    rpcs: Sequence[Rpc], *, uploads: Mapping[str, Descriptor], comments: Comments, info: OpenApiInfo
) -> dict[str, Any]:
    """Build the document.

    Args:
        rpcs: the rpcs whose routes it describes.
        uploads: for each client-streaming rpc, by full name, the message whose fields are its query parameters.
        comments: the comments of the contract, which describe operations, parameters and schemas.
        info: title, introduction and examples.

    Raises:
        UnsupportedContract: the JSON mapping does not support the type of a field.

    """
    paths = _Paths(uploads, comments, info.examples)
    for index in range(max((len(rpc.bindings) for rpc in rpcs), default=0)):
        # All canonical paths come before all additional ones, so that each operation is listed once at first.
        for rpc in rpcs:
            if index < len(rpc.bindings):
                paths.add(rpc, rpc.bindings[index], index)
    services = dict.fromkeys(rpc.service for rpc in rpcs)
    return {
        "openapi": "3.1.0",
        "info": {"title": info.title, "version": info.version, "description": info.description},
        "tags": [
            {"name": _tag_name(service), "description": _tag_description(service, comments)} for service in services
        ],
        "paths": paths.items,
        "components": {
            "schemas": {**paths.schemas.by_name, "Error": ERROR_SCHEMA},
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "The `access_token` from a login, or a personal access token (`tm_...`) where the "
                    "operation names a scope for it.",
                }
            },
            "responses": {
                "Error": {
                    "description": "The request failed. `error.code` is the HTTP status.",
                    "content": _json_content({"$ref": "#/components/schemas/Error"}),
                }
            },
        },
    }


class _Paths:
    """The paths of the document and the schemas that they refer to."""

    def __init__(
        self, uploads: Mapping[str, Descriptor], comments: Comments, examples: Mapping[tuple[str, str], object]
    ) -> None:
        self.items: dict[str, dict[str, Any]] = {}
        self.schemas = Schemas(comments)
        self._uploads = uploads
        self._comments = comments
        self._examples = examples

    def add(self, rpc: Rpc, binding: Binding, index: int) -> None:
        """Add the operation of a binding; `index` 0 is the canonical one."""
        operation: dict[str, Any] = {
            "operationId": f"{rpc.name}{index + 1 if index else ''}",
            "tags": [_tag_name(rpc.service)],
            "summary": _alias_summary(rpc) if index else self._comments.summary(rpc.full_name) or rpc.name,
            "description": f"{self._comments.get(rpc.full_name)}\n\n{_access_description(rpc)}".strip(),
            "parameters": self._parameters(rpc, binding),
            "responses": {
                str(rpc.success_status): {"description": "Success.", "content": self._response_content(rpc)},
                "default": {"$ref": "#/components/responses/Error"},
            },
            "security": [] if rpc.access.public else [{"bearer": []}],
        }
        if content := self._request_content(rpc, binding):
            operation["requestBody"] = {"required": True, "content": self._with_examples(rpc, content)}
        self.items.setdefault(binding.template.source, {})[binding.http_method.lower()] = operation

    def _parameters(self, rpc: Rpc, binding: Binding) -> list[dict[str, Any]]:
        if rpc.client_streaming:
            options = self._uploads[rpc.full_name]
            in_query: Sequence[FieldDescriptor] = [field for field in options.fields if field.name != IDEMPOTENCY_KEY]
        else:
            in_query = query_fields(binding, rpc.request)
        in_path = [rpc.request.fields_by_name[name] for name in binding.template.variables]
        return [
            *(self._parameter(field, "path", required=True) for field in in_path),
            *(self._parameter(field, "query", required=is_required(field)) for field in in_query),
            *self._header_parameters(rpc, binding),
        ]

    def _header_parameters(self, rpc: Rpc, binding: Binding) -> Iterator[dict[str, Any]]:
        """Yield the headers that fill fields of the request, and the compression of an upload."""
        if rpc.client_streaming:
            yield dict(_CONTENT_ENCODING_PARAMETER)
        request = self._uploads.get(rpc.full_name, rpc.request)
        header_fields = header_fields_of(binding, request)
        if header_fields.has_idempotency_key:
            yield self._parameter(request.fields_by_name[IDEMPOTENCY_KEY], "header") | {"name": "Idempotency-Key"}
        if header_fields.has_etag:
            parent = header_fields.etag_parent
            message = message_type_of(request.fields_by_name[parent]) if parent else request
            yield self._parameter(message.fields_by_name[ETAG], "header") | {"name": "If-Match"}

    def _parameter(self, field: FieldDescriptor, location: str, *, required: bool = False) -> dict[str, Any]:
        parameter = {"name": field.name, "in": location, "required": required, "schema": self.schemas.parameter(field)}
        description = self.schemas.description(field)
        return parameter | ({"description": description} if description else {})

    def _request_content(self, rpc: Rpc, binding: Binding) -> Mapping[str, Schema]:
        if not binding.body:
            return {}
        if rpc.client_streaming:
            return _UPLOAD_CONTENT
        if binding.body != "*":
            return _json_content(self.schemas.reference(message_type_of(rpc.request.fields_by_name[binding.body])))
        if binding.template.variables:
            return _json_content(self.schemas.object(rpc.request, frozenset(binding.template.variables)))
        return _json_content(self.schemas.reference(rpc.request))

    def _with_examples(self, rpc: Rpc, content: Mapping[str, Schema]) -> Mapping[str, Schema]:
        return {
            media_type: {**media_content, "example": self._examples[key]}
            if (key := (rpc.full_name, media_type)) in self._examples
            else media_content
            for media_type, media_content in content.items()
        }

    def _response_content(self, rpc: Rpc) -> Mapping[str, Schema]:
        if rpc.is_download:
            return {"text/csv": {"schema": {"type": "string"}}}
        message = self.schemas.reference(rpc.response)
        if rpc.server_streaming:
            line = {"result": message, "error": {"$ref": "#/components/schemas/Error/properties/error"}}
            lines = {"schema": {"type": "object", "properties": line, "maxProperties": 1}}
            return {"text/event-stream": {"schema": message}, "application/x-ndjson": lines}
        return _json_content(message)


def _tag_name(service: str) -> str:
    """Return "Task" for TaskService: REST clients do not see services."""
    return service.rpartition(".")[2].removesuffix("Service")


def _tag_description(service: str, comments: Comments) -> str:
    """Return the comment of a service without its name at the start, which buf's lint requires but the tag repeats."""
    text = comments.get(service).removeprefix(f"{service.rpartition('.')[2]} ")
    return text[:1].upper() + text[1:]


def _alias_summary(rpc: Rpc) -> str:
    canonical = rpc.bindings[0]
    return f"Alias of {canonical.http_method} {canonical.template.source}"


def _access_description(rpc: Rpc) -> str:
    if rpc.access.public:
        return "No token needed."
    roles, scopes = ", ".join(sorted(rpc.access.roles)), ", ".join(sorted(rpc.access.scopes))
    token_scopes = " or ".join(sorted(rpc.access.token_scopes))
    parts = [
        f"Roles: {roles}." if roles else "",
        f"Scopes: {scopes}." if scopes else "",
        f"Personal access tokens: with {token_scopes}." if token_scopes else "No personal access token.",
    ]
    return " ".join(part for part in parts if part)


def _json_content(schema: Schema) -> Mapping[str, Schema]:
    return {"application/json": {"schema": schema}}
