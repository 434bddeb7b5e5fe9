"""The OpenAPI 3.1 document of the routes, from the same descriptors that make them."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from gateway.transcoding.bind import query_fields
from gateway.transcoding.contract import Rpc
from gateway.transcoding.dialect import is_required, message_of
from gateway.transcoding.http_rules import Binding
from gateway.transcoding.places import places_of
from gateway.transcoding.schemas import Schema, Schemas

_ERROR: Schema = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "status", "message", "request_id", "details"],
            "properties": {
                "code": {"type": "integer", "description": "The HTTP status."},
                "status": {"type": "string", "description": "The code's name in google.rpc."},
                "message": {"type": "string"},
                "request_id": {"type": "string"},
                "details": {
                    "type": "array",
                    "maxItems": 50,
                    "items": {
                        "type": "object",
                        "required": ["reason", "field", "message"],
                        "properties": {
                            "reason": {"type": "string"},
                            "field": {"type": ["string", "null"]},
                            "message": {"type": "string"},
                        },
                    },
                },
            },
        }
    },
}

_FILE: Mapping[str, Schema] = {
    "multipart/form-data": {
        "schema": {
            "type": "object",
            "required": ["file"],
            "properties": {"file": {"type": "string", "contentMediaType": "text/csv"}},
        }
    },
    "text/csv": {"schema": {"type": "string"}},
}


def document(rpcs: Sequence[Rpc], *, uploads: Mapping[str, Descriptor], title: str, version: str) -> dict[str, Any]:
    """The document.

    Args:
        rpcs: whose routes it tells of.
        uploads: for each client-streaming rpc, by full name, the message whose fields are its query parameters.
        title: what the API is called.
        version: its version.

    Raises:
        UnsupportedContract: a type has no place in the JSON dialect.

    """
    paths = _Paths(uploads)
    for rpc in rpcs:
        for number, binding in enumerate(rpc.bindings):
            paths.add(rpc, binding, number)
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version},
        "paths": paths.items,
        "components": {
            "schemas": {**paths.schemas.named, "Error": _ERROR},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
            "responses": {"Error": {"description": "Anything but success.", "content": _json(_to("Error"))}},
        },
    }


class _Paths:
    """The document's paths, and the schemas that they name."""

    def __init__(self, uploads: Mapping[str, Descriptor]) -> None:
        self.items: dict[str, dict[str, Any]] = {}
        self.schemas = Schemas()
        self._uploads = uploads

    def add(self, rpc: Rpc, binding: Binding, number: int) -> None:
        operation: dict[str, Any] = {
            "operationId": f"{rpc.name}{number + 1 if number else ''}",
            "tags": [rpc.service.rpartition(".")[2]],
            "summary": re.sub(r"(?<=[a-z])(?=[A-Z])", " ", rpc.name).capitalize(),
            "description": _who(rpc),
            "parameters": self._parameters(rpc, binding),
            "responses": {
                str(rpc.success_status): {"description": "Success.", "content": self._answer(rpc)},
                "default": {"$ref": "#/components/responses/Error"},
            },
            "security": [] if rpc.access.public else [{"bearer": []}],
        }
        if content := self._body(rpc, binding):
            operation["requestBody"] = {"required": True, "content": content}
        self.items.setdefault(binding.template.source, {})[binding.http_method.lower()] = operation

    def _parameters(self, rpc: Rpc, binding: Binding) -> list[dict[str, Any]]:
        if rpc.client_streaming:
            queries: Sequence[FieldDescriptor] = self._uploads[rpc.full_name].fields
        else:
            queries = query_fields(binding, rpc.request)
        in_path = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in binding.template.variables
        ]
        in_query = [
            {"name": field.name, "in": "query", "required": is_required(field), "schema": self.schemas.parameter(field)}
            for field in queries
        ]
        places = places_of(binding, rpc.request)
        headers = [("Idempotency-Key", places.takes_key), ("If-Match", places.takes_etag)]
        in_header = [
            {"name": name, "in": "header", "required": False, "schema": {"type": "string"}}
            for name, taken in headers
            if taken
        ]
        return in_path + in_query + in_header

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

    def _answer(self, rpc: Rpc) -> Mapping[str, Schema]:
        schema = {"schema": self.schemas.reference(rpc.response)}
        if rpc.server_streaming:
            return {"text/event-stream": schema, "application/x-ndjson": schema}
        return {"application/json": schema}


def _who(rpc: Rpc) -> str:
    if rpc.access.public:
        return "Open to everyone."
    roles, scopes = ", ".join(sorted(rpc.access.roles)), ", ".join(sorted(rpc.access.scopes))
    return " ".join([f"Roles: {roles}." if roles else "", f"Scopes: {scopes}." if scopes else ""]).strip()


def _json(schema: Schema) -> Mapping[str, Schema]:
    return {"application/json": {"schema": schema}}


def _to(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}
