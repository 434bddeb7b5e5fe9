"""Responses of an operation: statuses, headers and bodies."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from gateway.transcoding.contract import Rpc
from gateway.transcoding.http.header_fields import ETAG, HeaderFields, has_string_field
from gateway.transcoding.http.http_rules import Binding
from gateway.transcoding.http.status_codes import HTTP_STATUS
from gateway.transcoding.openapi.schemas import Schema, Schemas

HEADERS: Mapping[str, Mapping[str, Any]] = {
    "X-Request-Id": {
        "description": "The id of the request in the logs of all services.",
        "required": True,
        "schema": {"type": "string"},
    },
    "ETag": {
        "description": "The entity tag: for If-None-Match in a later GET and, unless it is weak, for If-Match.",
        "required": True,
        "schema": {"type": "string"},
    },
    "Location": {
        "description": "The path of the new resource.",
        "required": True,
        "schema": {"type": "string", "format": "uri-reference"},
    },
    "Content-Disposition": {
        "description": "The file name.",
        "required": True,
        "schema": {"type": "string"},
    },
    "Idempotency-Replayed": {
        "description": "Present if the response was stored for an earlier request with the same Idempotency-Key.",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "Retry-After": {
        "description": "Seconds to wait before the next try. Absent if a later try would fail too.",
        "schema": {"type": "integer", "format": "int32"},
    },
    "WWW-Authenticate": {
        "description": "The authentication scheme: Bearer.",
        "required": True,
        "schema": {"type": "string"},
    },
}

# Component, description and further headers of each error response, by status.
_ERRORS: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    "400": ("BadRequest", "The request is invalid, or the state of the resource does not allow it.", ()),
    "401": ("Unauthorized", "The credentials are missing or invalid.", ("WWW-Authenticate",)),
    "403": ("Forbidden", "The caller may not do this.", ()),
    "404": ("NotFound", "The resource does not exist, or the caller may not see it.", ()),
    "409": ("Conflict", "The request conflicts with the state of the resource or with another request.", ()),
    "412": ("PreconditionFailed", "The resource has another entity tag than If-Match.", ()),
    "413": ("ContentTooLarge", "The body is too large.", ()),
    "429": ("TooManyRequests", "The caller has sent too many requests, or a quota is full.", ("Retry-After",)),
    "503": ("ServiceUnavailable", "A service is unavailable. Try again.", ("Retry-After",)),
    "4XX": ("ClientError", "Another error of the request.", ("Retry-After",)),
    "5XX": ("ServerError", "Another error of the server.", ("Retry-After",)),
}
_NOT_MODIFIED = "NotModified"

# The gateway rejects unknown parameters of every operation. A service may be overloaded or down at any call.
_ALWAYS = frozenset({"400", "429", "503", "4XX", "5XX"})
_NEEDS_TOKEN = frozenset({"401", "403"})


def response_components() -> Mapping[str, Any]:
    """Return the responses that operations share."""
    components: dict[str, Any] = {
        _NOT_MODIFIED: {
            "description": "The response has not changed since the one whose entity tag If-None-Match has.",
            "headers": _headers(("X-Request-Id", "ETag")),
        }
    }
    for name, description, headers in _ERRORS.values():
        components[name] = {
            "description": f"{description} `error.code` is the HTTP status.",
            "headers": _headers(("X-Request-Id", *headers)),
            "content": json_content({"$ref": "#/components/schemas/ErrorResponse"}),
        }
    return components


def build_responses(
    rpc: Rpc, binding: Binding, header_fields: HeaderFields, *, has_location: bool, schemas: Schemas
) -> dict[str, Any]:
    """Return the responses of a binding's operation by status."""
    success = {
        "description": f"{HTTPStatus(rpc.success_status).phrase}.",
        "headers": _headers(_success_headers(rpc, header_fields, has_location=has_location)),
        "content": _content(rpc, schemas),
    }
    not_modified = {"304": _reference(_NOT_MODIFIED)} if is_revalidated(rpc) else {}
    errors = _error_statuses(rpc, binding, header_fields)
    return {
        str(rpc.success_status): success,
        **not_modified,
        **{status: _reference(name) for status, (name, _, _) in _ERRORS.items() if status in errors},
    }


def is_revalidated(rpc: Rpc) -> bool:
    """Return True if a GET of the rpc has an entity tag and can be 304."""
    return rpc.is_unary and rpc.is_safe


def json_content(schema: Schema) -> dict[str, Schema]:
    """Return the content of a JSON body."""
    return {"application/json": {"schema": schema}}


def _error_statuses(rpc: Rpc, binding: Binding, header_fields: HeaderFields) -> set[str]:
    statuses = {*_ALWAYS, *(str(HTTP_STATUS[code]) for code in rpc.errors)}
    if not rpc.access.public:
        statuses |= _NEEDS_TOKEN
    if header_fields.has_idempotency_key:
        statuses.add("409")
    if header_fields.has_etag:
        statuses.add("412")
    if binding.body:
        statuses.add("413")
    return statuses


def _success_headers(rpc: Rpc, header_fields: HeaderFields, *, has_location: bool) -> Iterable[str]:
    yield "X-Request-Id"
    if rpc.is_unary and (rpc.is_safe or has_string_field(rpc.response, ETAG)):
        yield "ETag"
    if has_location:
        yield "Location"
    if rpc.is_download:
        yield "Content-Disposition"
    if header_fields.has_idempotency_key:
        yield "Idempotency-Replayed"


def _content(rpc: Rpc, schemas: Schemas) -> dict[str, Schema]:
    if rpc.is_download:
        return {"text/csv": {"schema": {"type": "string"}}}
    message = schemas.response(rpc.response)
    if not rpc.server_streaming:
        return json_content(message)
    line: Schema = {
        "type": "object",
        "description": "One line of the stream: a message, or the error that ended the stream.",
        "properties": {"result": message, "error": {"$ref": "#/components/schemas/ErrorStatus"}},
        "maxProperties": 1,
    }
    lines = schemas.add(f"{rpc.name}Line", line, rpc.full_name)
    name = message["$ref"].rpartition("/")[2]
    events: Schema = {
        "type": "string",
        "description": f"Server-sent events. The data have the schema {name}, in an event `error` ErrorResponse.",
    }
    return {"text/event-stream": {"schema": events}, "application/x-ndjson": {"schema": lines}}


def _headers(names: Iterable[str]) -> dict[str, Schema]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _reference(name: str) -> Schema:
    return {"$ref": f"#/components/responses/{name}"}
