"""A stored response says so: Idempotency-Replayed over REST, trailing metadata over gRPC."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from taskmanager.imports.v1 import import_service_pb2
from taskmanager.tasks.v1 import task_pb2, task_service_pb2

from tests.integration.task_service.calls import create
from tests.integration.task_service.import_calls import upload

KEY = "idempotency-replayed"
CSV = b"title\nBuy milk\n"
TASK = {"title": "x", "external_id": "A-1"}

REST_CALLS: dict[str, Callable[[str], tuple[str, str, dict[str, Any]]]] = {
    "create": lambda _: ("POST", "/tasks", {"json": {"title": "x"}}),
    "update": lambda task_id: ("PATCH", f"/tasks/{task_id}", {"json": {"title": "y"}}),
    "delete": lambda task_id: ("DELETE", f"/tasks/{task_id}", {}),
    "batch create": lambda _: ("POST", "/tasks:batchCreate", {"json": {"requests": [{"task": {"title": "x"}}]}}),
    "batch upsert": lambda _: ("POST", "/tasks:batchUpsert", {"json": {"requests": [{"task": TASK}]}}),
    "upload": lambda _: ("POST", "/imports?file_name=a.csv", {"content": CSV, "headers": {"content-type": "text/csv"}}),
}


@pytest.mark.parametrize("name", REST_CALLS)
async def test_rest_marks_only_the_stored_response(system, sonu, rest, name):
    task = await create(system, sonu, title="old")
    method, path, arguments = REST_CALLS[name](task.id)
    headers = arguments.pop("headers", {}) | {"idempotency-key": "k"}
    first, second = [await rest.request(method, path, headers=headers, **arguments) for _ in range(2)]
    assert (first.is_success, second.status_code) == (True, first.status_code), second.text
    assert (first.headers.get(KEY), second.headers.get(KEY)) == (None, "true")


async def test_rest_marks_no_response_without_a_key_and_no_error(system, sonu, rest):
    for _ in range(2):
        response = await rest.post("/tasks", json={"title": "x"})
        assert KEY not in response.headers
    await rest.post("/tasks", json={"title": "x"}, headers={"idempotency-key": "k"})
    reused = await rest.post("/tasks", json={"title": "y"}, headers={"idempotency-key": "k"})
    assert (reused.status_code, reused.headers.get(KEY)) == (409, None)


async def trailers_of(call: Any) -> dict[str, Any]:
    await call
    return dict(await call.trailing_metadata())


async def test_grpc_marks_the_stored_response_in_its_trailers(system, sonu):
    task = await create(system, sonu, title="old")
    imported = await upload(system, sonu, CSV)
    change = task_service_pb2.UpdateTaskRequest(
        id=task.id,
        task=task_pb2.Task(title="y"),
        update_mask=FieldMask(paths=["title"]),
        idempotency_key="u",
    )
    cancel = import_service_pb2.CancelImportRequest(id=imported.id, idempotency_key="c")
    for method, request in ((system.tasks.UpdateTask, change), (system.imports.CancelImport, cancel)):
        first, second = [await trailers_of(method(request, metadata=sonu.metadata)) for _ in range(2)]
        assert (first.get(KEY), second.get(KEY)) == (None, "true")
        assert "x-request-id" in second


async def test_one_of_concurrent_responses_is_not_marked(system, sonu, rest):
    responses = await asyncio.gather(
        *(rest.post("/tasks", json={"title": "x"}, headers={"idempotency-key": "k"}) for _ in range(6))
    )
    assert sorted(response.headers.get(KEY, "") for response in responses) == ["", *["true"] * 5]
