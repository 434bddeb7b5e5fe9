"""Operations of the document: parameters, body and responses of each binding."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from gateway.transcoding.contract import Rpc, location_prefix_of
from gateway.transcoding.http.header_fields import IDEMPOTENCY_KEY, HeaderFields, header_fields_of
from gateway.transcoding.http.http_rules import Binding
from gateway.transcoding.http.request_binder import query_fields
from gateway.transcoding.http.upload_form import FILE_PART
from gateway.transcoding.json_codec.json_mapping import is_required
from gateway.transcoding.openapi.comments import Comments
from gateway.transcoding.openapi.responses import build_responses, is_revalidated, json_content
from gateway.transcoding.openapi.schemas import Schema, Schemas

PARAMETERS: Mapping[str, Mapping[str, Any]] = {
    "Content-Encoding": {
        "name": "Content-Encoding",
        "in": "header",
        "description": "Compression of a raw body. The size limit applies to the uncompressed file.",
        "schema": {"$ref": "#/components/schemas/ContentEncoding"},
    },
    "If-Match": {
        "name": "If-Match",
        "in": "header",
        "description": 'ETag of a response, such as "2", or *. If the resource has changed since, the response is 412.',
        "schema": {"type": "string", "pattern": r'^(\*|(W/)?"[!#-~]*")$'},
    },
    "If-None-Match": {
        "name": "If-None-Match",
        "in": "header",
        "description": "Entity tags of responses that the client has. If one is current, the response is 304.",
        "schema": {"type": "string"},
    },
}

# Schemas of an upload, which http rules cannot express.
UPLOAD_SCHEMAS: Mapping[str, Mapping[str, Any]] = {
    "ContentEncoding": {"type": "string", "description": "A compression.", "enum": ["gzip"]},
    "UploadForm": {
        "type": "object",
        "description": "A file. The parameters of the query may also be parts of the form. They go before the file.",
        "required": [FILE_PART],
        "properties": {
            FILE_PART: {
                "type": "string",
                "contentMediaType": "text/csv",
                "format": "binary",
                "description": "The CSV file.",
            }
        },
    },
}
_UPLOAD_CONTENT: Mapping[str, Schema] = {
    "multipart/form-data": {"schema": {"$ref": "#/components/schemas/UploadForm"}},
    "text/csv": {"schema": {"type": "string"}},
}


class Operations:
    """Builder of operations and of the schemas that they refer to."""

    def __init__(
        self,
        rpcs: Sequence[Rpc],
        *,
        uploads: Mapping[str, Descriptor],
        comments: Comments,
        examples: Mapping[tuple[str, str], object],
    ) -> None:
        self.schemas = Schemas(comments)
        self._rpcs = rpcs
        self._uploads = uploads
        self._comments = comments
        self._examples = examples

    def build(self, rpc: Rpc, index: int) -> dict[str, Any]:
        """Return the operation of a binding. The first one of an rpc is canonical, the others are aliases."""
        binding = rpc.bindings[index]
        header_fields = header_fields_of(binding, self._request_of(rpc))
        has_location = location_prefix_of(rpc, self._rpcs) is not None
        operation: dict[str, Any] = {
            "operationId": f"{rpc.name}{index + 1 if index else ''}",
            "tags": [tag_name(rpc.service)],
            "summary": _alias_summary(rpc) if index else self._comments.summary(rpc.full_name) or rpc.name,
            "description": f"{self._comments.get(rpc.full_name)}\n\n{_access_description(rpc)}".strip(),
            **({"deprecated": True} if index else {}),
            "security": [] if rpc.access.public else [{"bearer": []}],
            "parameters": self._parameters(rpc, binding, header_fields),
        }
        if body := self._request_body(rpc, binding):
            operation["requestBody"] = body
        operation["responses"] = build_responses(
            rpc, binding, header_fields, has_location=has_location, schemas=self.schemas
        )
        return operation

    def _request_of(self, rpc: Rpc) -> Descriptor:
        """Return the message that parameters fill: of an upload, its options."""
        return self._uploads.get(rpc.full_name, rpc.request)

    def _parameters(self, rpc: Rpc, binding: Binding, header_fields: HeaderFields) -> list[dict[str, Any]]:
        if rpc.client_streaming:
            fields = self._request_of(rpc).fields
            in_query: Sequence[FieldDescriptor] = [field for field in fields if field.name != IDEMPOTENCY_KEY]
        else:
            in_query = query_fields(binding, rpc.request)
        in_path = [rpc.request.fields_by_name[name] for name in binding.template.variables]
        return [
            *(self._parameter(field, "path", required=True) for field in in_path),
            *(self._parameter(field, "query", required=is_required(field)) for field in in_query),
            *self._header_parameters(rpc, header_fields),
        ]

    def _header_parameters(self, rpc: Rpc, header_fields: HeaderFields) -> Iterator[dict[str, Any]]:
        """Yield the headers that fill fields of the request, the compression of an upload, and If-None-Match."""
        if rpc.client_streaming:
            yield _parameter_reference("Content-Encoding")
        request = self._request_of(rpc)
        if header_fields.has_idempotency_key:
            yield self._parameter(request.fields_by_name[IDEMPOTENCY_KEY], "header") | {"name": "Idempotency-Key"}
        if header_fields.has_etag:
            yield _parameter_reference("If-Match")
        if is_revalidated(rpc):
            yield _parameter_reference("If-None-Match")

    def _parameter(self, field: FieldDescriptor, location: str, *, required: bool = False) -> dict[str, Any]:
        description = self.schemas.parameter_description(field)
        return {
            "name": field.name,
            "in": location,
            **({"required": True} if required else {}),
            **({"description": description} if description else {}),
            "schema": self.schemas.parameter(field),
        }

    def _request_body(self, rpc: Rpc, binding: Binding) -> dict[str, Any]:
        """Return the body; an empty one if the binding has none, or if no field is left for it."""
        if not binding.body:
            return {}
        if rpc.client_streaming:
            return self._body(rpc, _UPLOAD_CONTENT, required=True)
        if binding.body != "*":
            field = rpc.request.fields_by_name[binding.body]
            return self._body(rpc, json_content(self.schemas.request_field(field)), required=is_required(field))
        excluded = frozenset({*binding.template.variables, IDEMPOTENCY_KEY})
        fields = [field for field in rpc.request.fields if field.name not in excluded]
        if not fields:
            return {}
        content = json_content(self.schemas.request(rpc.request, excluded))
        return self._body(rpc, content, required=any(map(is_required, fields)))

    def _body(self, rpc: Rpc, content: Mapping[str, Schema], *, required: bool) -> dict[str, Any]:
        with_examples = {
            media_type: {**media_content, "example": self._examples[key]}
            if (key := (rpc.full_name, media_type)) in self._examples
            else media_content
            for media_type, media_content in content.items()
        }
        return {**({"required": True} if required else {}), "content": with_examples}


def tag_name(service: str) -> str:
    """Return "Task" for TaskService: REST clients do not see services."""
    return service.rpartition(".")[2].removesuffix("Service")


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


def _parameter_reference(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/parameters/{name}"}
