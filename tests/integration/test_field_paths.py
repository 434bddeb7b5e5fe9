"""Field paths of violations, for calls of gRPC and of REST."""

from typing import Any
from uuid import uuid4

import grpc
import pytest_asyncio
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from taskmanager.auth.v1 import auth_service_pb2 as auth
from taskmanager.auth.v1 import service_account_service_pb2 as accounts
from taskmanager.auth.v1 import token_service_pb2 as tokens
from taskmanager.auth.v1 import user_service_pb2 as users
from taskmanager.imports.v1 import import_ingest_service_pb2 as ingest
from taskmanager.imports.v1 import import_service_pb2 as imports
from taskmanager.tasks.v1 import history_service_pb2 as history
from taskmanager.tasks.v1 import task_pb2
from taskmanager.tasks.v1 import task_service_pb2 as tasks

from tests.integration.task_service.calls import create, delete
from tests.support.grpc_calls import expect_failure
from tests.support.rest import error_details

UNKNOWN: Any = 99
"""Number that no enum has."""
BAD_TASK = task_pb2.Task(
    title=" ", description="\1", status=UNKNOWN, due_date="soon", labels=["a,b"], external_id="x" * 999, assignee_id="x"
)
BAD_MASK = FieldMask(paths=["title", "colour", "id", "created_at"])
BAD_UPDATE = tasks.UpdateTaskRequest(id=str(uuid4()), task=BAD_TASK, update_mask=BAD_MASK)
BAD_KEY = "not an\nidempotency key"

BAD_REQUESTS: list[tuple[str, Message]] = [
    ("auth.v1.AuthService/Register", auth.RegisterRequest(username="\0", email="x", password="x", role=UNKNOWN)),
    ("auth.v1.AuthService/Login", auth.LoginRequest()),
    ("auth.v1.AuthService/ResetPassword", auth.ResetPasswordRequest(new_password="x")),
    ("auth.v1.UserService/ChangePassword", users.ChangePasswordRequest(current_password="x", new_password="x")),
    ("auth.v1.UserService/UpdateUser", users.UpdateUserRequest(id="x")),
    ("auth.v1.UserService/LookupUsers", users.LookupUsersRequest()),
    (
        "auth.v1.TokenService/CreateToken",
        tokens.CreateTokenRequest(name="\0", scopes=["x", "tasks:read", "tasks:read"]),
    ),
    (
        "auth.v1.ServiceAccountService/CreateServiceAccount",
        accounts.CreateServiceAccountRequest(name=" ", scopes=["x"]),
    ),
    ("tasks.v1.TaskService/CreateTask", tasks.CreateTaskRequest(task=BAD_TASK)),
    ("tasks.v1.TaskService/CreateTask", tasks.CreateTaskRequest(task=task_pb2.Task(title="x", owner_id="x"))),
    (
        "tasks.v1.TaskService/CreateTask",
        tasks.CreateTaskRequest(task=task_pb2.Task(title="x", assignee_id=str(uuid4()))),
    ),
    ("tasks.v1.TaskService/CreateTask", tasks.CreateTaskRequest(task=BAD_TASK, idempotency_key=BAD_KEY)),
    ("tasks.v1.TaskService/CreateTask", tasks.CreateTaskRequest()),
    ("tasks.v1.TaskService/GetTask", tasks.GetTaskRequest(id="x")),
    ("tasks.v1.TaskService/UpdateTask", BAD_UPDATE),
    ("tasks.v1.TaskService/DeleteTask", tasks.DeleteTaskRequest(id="x")),
    (
        "tasks.v1.TaskService/ListTasks",
        tasks.ListTasksRequest(labels_any=["a,b"], due_before="x", order_by="x", owner_id="x"),
    ),
    ("tasks.v1.TaskService/ListTasks", tasks.ListTasksRequest(page_token="x")),
    ("tasks.v1.TaskService/ListTasks", tasks.ListTasksRequest(page_size=-1)),
    ("tasks.v1.TaskService/ExportTasks", tasks.ExportTasksRequest(delimiter="x")),
    ("tasks.v1.TaskService/GetTaskStats", tasks.GetTaskStatsRequest(days=-1)),
    ("tasks.v1.TaskService/BatchGetTasks", tasks.BatchGetTasksRequest(ids=["x", str(uuid4())])),
    ("tasks.v1.TaskService/BatchGetTasks", tasks.BatchGetTasksRequest(ids=[str(uuid4())])),
    (
        "tasks.v1.TaskService/BatchCreateTasks",
        tasks.BatchCreateTasksRequest(requests=[tasks.CreateTaskRequest(task=BAD_TASK)]),
    ),
    ("tasks.v1.TaskService/BatchCreateTasks", tasks.BatchCreateTasksRequest()),
    ("tasks.v1.TaskService/BatchUpdateTasks", tasks.BatchUpdateTasksRequest(requests=[BAD_UPDATE])),
    ("tasks.v1.TaskService/BatchUpdateTasks", tasks.BatchUpdateTasksRequest(requests=[BAD_UPDATE, BAD_UPDATE])),
    (
        "tasks.v1.TaskService/BatchDeleteTasks",
        tasks.BatchDeleteTasksRequest(requests=[tasks.DeleteTaskRequest(id="x")]),
    ),
    (
        "tasks.v1.TaskService/BatchDeleteTasks",
        tasks.BatchDeleteTasksRequest(requests=[tasks.DeleteTaskRequest(id="x", idempotency_key="x")]),
    ),
    (
        "tasks.v1.TaskService/BatchUpsertTasks",
        tasks.BatchUpsertTasksRequest(requests=[tasks.UpsertTaskRequest(task=BAD_TASK, update_mask=BAD_MASK)]),
    ),
    (
        "tasks.v1.TaskService/BatchUpsertTasks",
        tasks.BatchUpsertTasksRequest(
            requests=[tasks.UpsertTaskRequest(task=task_pb2.Task(title="x", external_id="A"))] * 2
        ),
    ),
    ("tasks.v1.HistoryService/ListTaskEvents", history.ListTaskEventsRequest(task_id="x")),
    ("tasks.v1.HistoryService/ListEvents", history.ListEventsRequest(task_id="x", actor_id="x", action=[UNKNOWN])),
    ("tasks.v1.HistoryService/WatchEvents", history.WatchEventsRequest(cursor="x")),
    ("imports.v1.ImportService/GetImport", imports.GetImportRequest(id="x")),
    ("imports.v1.ImportService/ListImports", imports.ListImportsRequest(owner_id="x")),
    ("imports.v1.ImportIngestService/ClaimNextImport", ingest.ClaimNextImportRequest(worker="\0")),
    ("imports.v1.ImportIngestService/ReadUpload", ingest.ReadUploadRequest(import_id="x")),
]

BAD_OPTIONS: list[dict[str, Any]] = [
    {"mapping": "x:title"},
    {"encoding": "x"},
    {"delimiter": "x"},
    {"options_from": "x"},
    {"default_status": UNKNOWN},
    {"default_labels": "x" * 999},
    {"default_assignee": "nobody"},
    {"value_mapping": "x"},
    {"row_filter": "x"},
    {"date_format": "x"},
    {"header_row": -1},
    {"source": "x"},
    {"idempotency_key": BAD_KEY},
    {"file_name": "\0"},
    {},
]


def has_path(message: Any, path: str) -> bool:
    """Return True if the message has the field path."""
    name, _, rest = path.partition(".")
    field = message.fields_by_name.get(name.partition("[")[0])
    if field is None or ("[" in name and not field.is_repeated):
        return False
    return not rest or (field.message_type is not None and has_path(field.message_type, rest))


async def unresolved_paths(call: Any, message: Any) -> list[str]:
    """Return the paths of a failed call that the message does not have; "none" if the call names no field."""
    failure = await expect_failure(call)
    return [field for field, _ in failure.violations if not has_path(message, field)] or (
        [] if failure.violations else [f"none: {failure}"]
    )


@pytest_asyncio.fixture
async def call(system):
    """Return a function that calls a method of either service."""
    async with (
        grpc.aio.insecure_channel(system.auth_target) as to_auth,
        grpc.aio.insecure_channel(system.tasks_target) as to_tasks,
    ):

        async def start(method: str, request: Message, person: Any) -> None:
            channel = to_auth if method.startswith("auth.") else to_tasks
            start_call: Any = channel.unary_stream(f"/taskmanager.{method}", type(request).SerializeToString)
            async for _ in start_call(request, metadata=person.metadata):
                pass

        yield start


async def test_every_field_path_is_one_of_the_request(system, call):
    admin, worker = await system.new_admin(), await system.new_service("imports:ingest")
    unresolved = {}
    for method, request in BAD_REQUESTS:
        person = worker if "Ingest" in method else admin
        if paths := await unresolved_paths(call(method, request, person), request.DESCRIPTOR):
            unresolved[method] = paths
    assert unresolved == {}


async def test_field_paths_of_an_upload_are_those_of_its_messages(system, sonu):
    async def messages(options: dict[str, Any]):
        yield imports.UploadImportRequest(options=imports.UploadOptions(**options))
        yield imports.UploadImportRequest(chunk=b"a\n")
        yield imports.UploadImportRequest(finish=imports.UploadFinish(size=2))

    for options in BAD_OPTIONS:
        started = system.imports.UploadImport(messages(options), metadata=sonu.metadata)
        assert await unresolved_paths(started, imports.UploadImportRequest.DESCRIPTOR) == [], options


async def test_file_of_an_upload_is_a_part_of_the_form_over_rest(rest):
    """A violation of the file has the name of its part, that of an option the name of its parameter."""
    file = {"file": ("a.csv", b"a\n")}
    response = await rest.post("/imports", files=file)
    assert error_details(response) == [("MISSING_TITLE_COLUMN", "file")]
    response = await rest.post("/imports", params={"source": "x"}, files=file)
    assert error_details(response) == [("UNKNOWN_SOURCE", "source")]


async def test_etag_is_a_field_of_the_task_or_of_the_request(system, rest, sonu):
    """UpdateTask has it in the task, DeleteTask beside the id. Over REST, the body of UpdateTask is the task."""
    task = await create(system, sonu, title="x", external_id="A")
    stale = tasks.UpdateTaskRequest(id=task.id, task=task_pb2.Task(title="y", etag="9"))
    deletion = tasks.DeleteTaskRequest(id=task.id, etag="9")
    upsert = tasks.UpsertTaskRequest(task=task_pb2.Task(title="y", external_id="A", etag="9"))
    for name, request, path in (
        ("UpdateTask", stale, "task.etag"),
        ("DeleteTask", deletion, "etag"),
        ("BatchUpdateTasks", tasks.BatchUpdateTasksRequest(requests=[stale]), "requests[0].task.etag"),
        ("BatchDeleteTasks", tasks.BatchDeleteTasksRequest(requests=[deletion]), "requests[0].etag"),
        ("BatchUpsertTasks", tasks.BatchUpsertTasksRequest(requests=[upsert]), "requests[0].task.etag"),
    ):
        failure = await expect_failure(getattr(system.tasks, name)(request, metadata=sonu.metadata))
        assert failure.violations == [(path, "ETAG_MISMATCH")], name
    item = {"id": task.id, "task": {"title": "y", "etag": "9"}}
    for method, path, body, field in (
        ("PATCH", f"/tasks/{task.id}", {"title": "y", "etag": "9"}, "etag"),
        ("POST", "/tasks:batchUpdate", {"requests": [item]}, "requests[0].task.etag"),
        ("POST", "/tasks:batchDelete", {"requests": [{"id": task.id, "etag": "9"}]}, "requests[0].etag"),
    ):
        response = await rest.request(method, path, json=body)
        assert error_details(response) == [("ETAG_MISMATCH", field)]


async def test_error_about_no_field_of_the_request_has_no_path(system, sonu):
    """The task that is undeleted has an external_id, the request has none."""
    deleted = await delete(system, sonu, (await create(system, sonu, title="x", external_id="A")).id)
    await create(system, sonu, title="y", external_id="A")
    request = tasks.UndeleteTaskRequest(id=deleted.id)
    failure = await expect_failure(system.tasks.UndeleteTask(request, metadata=sonu.metadata))
    assert failure[1:] == ("EXTERNAL_ID_TAKEN", [])


async def test_unknown_field_of_a_mask_is_a_violation_of_the_mask(system, rest, sonu):
    """The message quotes the field. A field that is read-only is named by its path in the task."""
    task = await create(system, sonu, title="x")
    update = tasks.UpdateTaskRequest(
        id=task.id, task=task_pb2.Task(), update_mask=FieldMask(paths=["id", "Colour\u200b"])
    )
    failure = await expect_failure(system.tasks.UpdateTask(update, metadata=sonu.metadata))
    assert failure.violations == [("update_mask", "UNKNOWN_FIELD"), ("task.id", "READ_ONLY_FIELD")]
    response = await rest.patch(f"/tasks/{task.id}", json={"created_at": "2026-01-01T00:00:00Z"})
    assert error_details(response) == [("READ_ONLY_FIELD", "created_at")]
