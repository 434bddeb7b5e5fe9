"""JSON Schemas of the error body."""

from collections.abc import Mapping
from typing import Any

from google.rpc import code_pb2

from gateway.transcoding.violations import MAX_VIOLATIONS

ERROR_SCHEMAS: Mapping[str, Mapping[str, Any]] = {
    "ErrorResponse": {
        "type": "object",
        "description": "The body of every error response.",
        "required": ["error"],
        "properties": {"error": {"$ref": "#/components/schemas/ErrorStatus"}},
        "example": {
            "error": {
                "code": 400,
                "status": "INVALID_ARGUMENT",
                "message": "A task needs a title.",
                "request_id": "0199e5c2-7a1b-7c3d-8e4f-5a6b7c8d9e0f",
                "details": [{"reason": "BLANK_TITLE", "field": "title", "message": "A task needs a title."}],
            }
        },
    },
    "ErrorStatus": {
        "type": "object",
        "description": "An error.",
        "required": ["code", "status", "message", "request_id", "details"],
        "properties": {
            "code": {"type": "integer", "format": "int32", "description": "The HTTP status."},
            "status": {"$ref": "#/components/schemas/ErrorCode"},
            "message": {"type": "string", "description": "A text for people."},
            "request_id": {"type": "string", "description": "The id of the request in the logs of all services."},
            "details": {
                "type": "array",
                "description": "One entry for each violation.",
                "maxItems": MAX_VIOLATIONS,
                "items": {"$ref": "#/components/schemas/ErrorDetail"},
            },
        },
    },
    "ErrorCode": {
        "type": "string",
        "description": "The name of the code in google.rpc.Code.",
        "enum": [name for name in code_pb2.Code.keys() if name != "OK"],  # noqa: SIM118 - an enum wrapper is no mapping
    },
    "ErrorDetail": {
        "type": "object",
        "description": "One violation.",
        "required": ["reason", "field", "message"],
        "properties": {
            "reason": {"type": "string", "description": "A constant for programs, such as BLANK_TITLE."},
            "field": {
                "type": ["string", "null"],
                "description": "The invalid field, as the request names it, or null.",
            },
            "message": {"type": "string", "description": "A text for people."},
            "metadata": {"$ref": "#/components/schemas/ErrorMetadata"},
        },
    },
    "ErrorMetadata": {
        "type": "object",
        "description": "Facts for programs, by name: `import_id` and `import_state` (`queued`, `running`, `succeeded`"
        " or `undoing`) of DUPLICATE_FILE, `scopes` (separated by spaces) of TOKEN_SCOPE_MISSING.",
        "additionalProperties": {"type": "string"},
    },
}
