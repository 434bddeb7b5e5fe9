"""JSON Schema of the error body."""

from typing import Any

ERROR_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "The body of every error response.",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "status", "message", "request_id", "details"],
            "properties": {
                "code": {"type": "integer", "description": "The HTTP status."},
                "status": {"type": "string", "description": "The name of the code in google.rpc.Code."},
                "message": {"type": "string", "description": "A text for people."},
                "request_id": {"type": "string", "description": "The id of the request in the logs of all services."},
                "details": {
                    "type": "array",
                    "description": "One entry for each violation.",
                    "maxItems": 50,
                    "items": {
                        "type": "object",
                        "required": ["reason", "field", "message"],
                        "properties": {
                            "reason": {
                                "type": "string",
                                "description": "A constant for programs, such as BLANK_TITLE.",
                            },
                            "field": {
                                "type": ["string", "null"],
                                "description": "The invalid field, as the request names it, or null.",
                            },
                            "message": {"type": "string", "description": "A text for people."},
                        },
                    },
                },
            },
        }
    },
    "example": {
        "error": {
            "code": 400,
            "status": "INVALID_ARGUMENT",
            "message": "A task needs a title.",
            "request_id": "0199e5c2-7a1b-7c3d-8e4f-5a6b7c8d9e0f",
            "details": [{"reason": "BLANK_TITLE", "field": "title", "message": "A task needs a title."}],
        }
    },
}
