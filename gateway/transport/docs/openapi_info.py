"""Texts of the OpenAPI document that the contract does not have: the introduction and the example requests."""

from typing import Any

from gateway.transcoding.openapi.document import OpenApiInfo

_INTRODUCTION = """\
Tasks, their history, and CSV imports of tasks.

**First steps.** `POST /api/v1/register` creates an account. `POST /api/v1/login` returns an `access_token`. Press
**Authorize** and paste it, or send it as `Authorization: Bearer ...`. It is valid for `expires_in` seconds.

**Format.** Names are in snake case, times are RFC 3339, and dates are `YYYY-MM-DD`. A response has every field: an
unset text is empty, an unset time or object is null. A request must not have unknown fields, and null means that a
field is absent. In a PATCH, null resets a field to its default. A list returns a `next_page_token`; send it as
`page_token` to get the next page. The short paths, such as `/api/tasks`, are deprecated aliases of those under
`/api/v1`.

**Clients.** The schemas of requests and responses differ: `TaskCreate` is a new task, `TaskUpdate` a change, `Task` a
response. Send the `ETag` of a task as `If-Match`, and the change is refused if somebody else has changed the task.

**Errors.** Every error has the same body. Constants in capitals below, such as NOT_FOUND, are values of
`error.status`. Every response has an `x-request-id`, which is also in the logs of all services.

**Streams.** A `:watch` returns server-sent events. With `Accept: application/x-ndjson` it returns lines of
`{"result": ...}`, and `{"error": ...}` as the last line if the stream fails.
"""

_EMAIL = "sonu@example.com"
_PASSWORD = "three brown foxes"  # noqa: S105 - a public example

_JSON_EXAMPLES: dict[str, Any] = {
    "taskmanager.auth.v1.AuthService.Register": {"username": "sonu", "email": _EMAIL, "password": _PASSWORD},
    "taskmanager.auth.v1.AuthService.Login": {"email": _EMAIL, "password": _PASSWORD},
    "taskmanager.tasks.v1.TaskService.CreateTask": {
        "title": "Write the report",
        "description": "Two pages at the most",
        "status": "pending",
        "priority": "high",
        "due_date": "2030-01-31",
    },
    "taskmanager.tasks.v1.TaskService.UpdateTask": {"status": "completed", "due_date": None},
    "taskmanager.tasks.v1.TaskService.BatchUpsertTasks": {
        "requests": [{"task": {"external_id": "PROJ-1", "title": "Write the report", "labels": ["office"]}}]
    },
    "taskmanager.auth.v1.UserService.UpdateCurrentUser": {"username": "sonu-2"},
    "taskmanager.auth.v1.ServiceAccountService.CreateServiceAccount": {"name": "reporting", "scopes": ["tasks:read"]},
}
_CSV_EXAMPLES = {
    "taskmanager.imports.v1.ImportService.UploadImport": (
        "subject,description,status\nBuy milk,two bottles,pending\nWrite the report,,in-progress\n"
    )
}

OPENAPI_INFO = OpenApiInfo(
    title="Task manager",
    version="v1",
    license="MIT",
    description=_INTRODUCTION,
    examples={
        **{(rpc, "application/json"): example for rpc, example in _JSON_EXAMPLES.items()},
        **{(rpc, "text/csv"): example for rpc, example in _CSV_EXAMPLES.items()},
    },
)
