"""JSON Schema of the one error body."""

from typing import Any

ERROR: dict[str, Any] = {
    "type": "object",
    "description": "The one body of every error.",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "status", "message", "request_id", "details"],
            "properties": {
                "code": {"type": "integer", "description": "The HTTP status."},
                "status": {"type": "string", "description": "The code's name in google.rpc."},
                "message": {"type": "string", "description": "For people."},
                "request_id": {"type": "string", "description": "What every service's log knows the request by."},
                "details": {
                    "type": "array",
                    "description": "One entry for each thing that is wrong.",
                    "maxItems": 50,
                    "items": {
                        "type": "object",
                        "required": ["reason", "field", "message"],
                        "properties": {
                            "reason": {"type": "string", "description": "For programs, such as BLANK_TITLE."},
                            "field": {
                                "type": ["string", "null"],
                                "description": "The field to blame as the request spelt it; null where none is.",
                            },
                            "message": {"type": "string", "description": "For people."},
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
