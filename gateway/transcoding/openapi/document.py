"""The OpenAPI 3.1 document of the routes, built from the same descriptors as the routes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.descriptor import Descriptor

from gateway.transcoding.contract import Rpc
from gateway.transcoding.openapi.comments import Comments
from gateway.transcoding.openapi.error_schema import ERROR_SCHEMAS
from gateway.transcoding.openapi.operations import PARAMETERS, UPLOAD_SCHEMAS, Operations, tag_name
from gateway.transcoding.openapi.responses import HEADERS, response_components


@dataclass(frozen=True, slots=True)
class OpenApiInfo:
    """The texts of the document that no descriptor has."""

    title: str
    version: str
    description: str = ""
    license: str = ""
    """SPDX identifier."""
    examples: Mapping[tuple[str, str], object] = field(default_factory=dict)
    """Example request bodies by full name of the rpc and media type."""


def build_document(
    rpcs: Sequence[Rpc], *, uploads: Mapping[str, Descriptor], comments: Comments, info: OpenApiInfo
) -> dict[str, Any]:
    """Build the document. Its keys have the order of the contract, so that equal contracts make equal documents.

    Args:
        rpcs: the rpcs whose routes it describes.
        uploads: for each client-streaming rpc, by full name, the message whose fields are its query parameters.
        comments: the comments of the contract, which describe operations, parameters and schemas.
        info: title, introduction and examples.

    Raises:
        UnsupportedContract: the JSON mapping does not support the type of a field, or two schemas have the same name.

    """
    operations = Operations(rpcs, uploads=uploads, comments=comments, examples=info.examples)
    for name, schema in (*ERROR_SCHEMAS.items(), *UPLOAD_SCHEMAS.items()):
        operations.schemas.add(name, dict(schema), "the gateway")
    paths = _paths(rpcs, operations)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": info.title,
            "version": info.version,
            "description": info.description,
            **({"license": {"name": info.license, "identifier": info.license}} if info.license else {}),
        },
        "servers": [{"url": "/", "description": "The server that this document comes from."}],
        "tags": [
            {"name": tag_name(service), "description": _tag_description(service, comments)}
            for service in dict.fromkeys(rpc.service for rpc in rpcs)
        ],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(operations.schemas.by_name.items())),
            "parameters": dict(PARAMETERS),
            "headers": dict(HEADERS),
            "responses": response_components(),
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "The `access_token` from a login, or a personal access token (`tm_...`) where the "
                    "operation names a scope for it.",
                }
            },
        },
    }


def _paths(rpcs: Sequence[Rpc], operations: Operations) -> dict[str, dict[str, Any]]:
    """Return the operations by path and method.

    All canonical paths come before all aliases, so that each operation is listed once at first.
    """
    paths: dict[str, dict[str, Any]] = {}
    for index in range(max((len(rpc.bindings) for rpc in rpcs), default=0)):
        for rpc in rpcs:
            if index < len(rpc.bindings):
                binding = rpc.bindings[index]
                item = paths.setdefault(binding.template.source, {})
                item[binding.http_method.lower()] = operations.build(rpc, index)
    return paths


def _tag_description(service: str, comments: Comments) -> str:
    """Return the comment of a service without its name at the start, which buf's lint requires but the tag repeats."""
    text = comments.get(service).removeprefix(f"{service.rpartition('.')[2]} ")
    return text[:1].upper() + text[1:]
