"""What a reader of the API's documentation is told beside the contract: how to begin, and the first requests."""

from typing import Any

from gateway.transcoding.openapi import Guide

_INTRODUCTION = """\
Tasks, their history, and imports of them from CSV.

To begin: `POST /api/v1/register` makes an account, `POST /api/v1/login` answers an `access_token`. Press **Authorize**
and put it in, or send it as `Authorization: Bearer ...`; `expires_in` says for how many seconds it is good.

Names are in snake case, times RFC 3339, dates `YYYY-MM-DD`. Answers hold every field: an unset text is
empty, an unset time or object null. Requests may hold no unknown field, and null for what is left out; in a PATCH,
null puts a field back to what a new task has. A list answers `next_page_token`, to be sent as `page_token` for the next
page.

Every error has the same body. What is in capitals below, such as NOT_FOUND, is its `error.status`. Every answer has an
`x-request-id`, by which all services' logs know the request.

A `:watch` answers server-sent events or, to `Accept: application/x-ndjson`, lines of `{"result": ...}` and at the end
of one that failed `{"error": ...}`.
"""

_EMAIL = "sonu@example.com"
_PASSWORD = "three brown foxes"  # noqa: S105 - an example to be seen

_JSON: dict[str, Any] = {
    "taskmanager.auth.v1.AuthService.Register": {"username": "sonu", "email": _EMAIL, "password": _PASSWORD},
    "taskmanager.auth.v1.AuthService.Login": {"email": _EMAIL, "password": _PASSWORD},
    "taskmanager.tasks.v1.TaskService.CreateTask": {
        "title": "Write the report",
        "description": "Two pages at the most",
        "status": "pending",
        "priority": "high",
        "due_date": "2030-01-31",
    },
}
_CSV = {
    "taskmanager.imports.v1.ImportService.UploadImport": (
        "subject,description,status\nBuy milk,two bottles,pending\nWrite the report,,in-progress\n"
    )
}

GUIDE = Guide(
    title="Task manager",
    version="v1",
    introduction=_INTRODUCTION,
    examples={
        **{(rpc, "application/json"): example for rpc, example in _JSON.items()},
        **{(rpc, "text/csv"): example for rpc, example in _CSV.items()},
    },
)
