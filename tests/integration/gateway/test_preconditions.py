"""Update masks, entity tags and idempotency keys."""

import grpc
import pytest
from taskmanager.tasks.v1 import task_pb2, task_service_pb2

from tests.support.rest import error_details

TASK = "/api/v1/tasks/t1"


async def test_patch_keys_are_the_update_mask(rest, services):
    services.respond_with("UpdateTask", task_pb2.Task(id="t1", etag="8"))
    response = await rest.patch(TASK, json={"title": "New", "due_date": None, "labels": [], "etag": "7"})
    assert response.status_code == 200
    (request,) = services.requests["UpdateTask"]
    assert sorted(request.update_mask.paths) == ["due_date", "labels", "title"]
    assert (request.id, request.task) == ("t1", task_pb2.Task(title="New", etag="7"))


@pytest.mark.parametrize("field", ["update_mask", "task", "idempotency_key", "created_at"])
async def test_patch_rejects_fields_that_cannot_be_set(rest, services, field):
    response = await rest.patch(TASK, json={field: "x"})
    assert response.status_code == 400
    assert error_details(response) == [("READ_ONLY_FIELD" if field == "created_at" else "UNKNOWN_FIELD", field)]
    assert not services.received(response)


async def test_batch_items_have_their_own_update_masks(rest, services):
    services.respond_with("BatchUpdateTasks", task_service_pb2.BatchUpdateTasksResponse())
    requests = [{"id": "t1", "task": {"title": "a", "etag": "7"}}, {"id": "t2", "task": {"due_date": None}}]
    assert (await rest.post("/api/v1/tasks:batchUpdate", json={"requests": requests})).status_code == 200
    first, second = services.requests["BatchUpdateTasks"][0].requests
    assert (first.id, list(first.update_mask.paths), first.task.etag) == ("t1", ["title"], "7")
    assert (second.id, list(second.update_mask.paths)) == ("t2", ["due_date"])


async def test_update_mask_star_replaces_all_fields(rest, services):
    """The mask "*" replaces all fields (AIP-134). No other mask is a parameter, because the keys of the body are it."""
    services.respond_with("UpdateTask", task_pb2.Task(id="t1", etag="8"))
    for query in ("update_mask=*", "update_mask=%2A"):
        assert (await rest.patch(f"{TASK}?{query}", json={"title": "New", "etag": "7"})).status_code == 200
    for request in services.requests["UpdateTask"]:
        assert list(request.update_mask.paths) == ["*"]
        assert request.task == task_pb2.Task(title="New", etag="7")
    for mask in ("title", "", "*,title"):
        response = await rest.patch(TASK, params={"update_mask": mask}, json={})
        assert error_details(response) == [("UNKNOWN_VALUE", "update_mask")]
    assert error_details(await rest.get(f"{TASK}?update_mask=*")) == [("UNKNOWN_PARAMETER", "update_mask")]


async def test_failed_if_match_is_412(rest, services):
    """A mismatch is a 412 if the etag came from If-Match, and a 409 if it came from the body."""
    services.fail_with("UpdateTask", grpc.StatusCode.ABORTED, "ETAG_MISMATCH")
    is_etag_from_header = await rest.patch(TASK, json={"title": "x"}, headers={"if-match": '"7"'})
    assert services.requests["UpdateTask"][0].task.etag == "7"
    assert (is_etag_from_header.status_code, error_details(is_etag_from_header)) == (412, [("ETAG_MISMATCH", None)])
    in_body = await rest.patch(TASK, json={"title": "x", "etag": "7"})
    assert in_body.status_code == 409


async def test_if_match_applies_to_delete(rest, services):
    services.respond_with("DeleteTask", task_pb2.Task(id="t1"))
    await rest.delete(TASK, headers={"if-match": '"7"'})
    assert services.requests["DeleteTask"] == [task_service_pb2.DeleteTaskRequest(id="t1", etag="7")]


async def test_weak_if_match_counts_as_strong(rest, services):
    """A proxy that compresses responses makes their entity tags weak, and clients send them back."""
    services.respond_with("UpdateTask", task_pb2.Task(id="t1"))
    assert (await rest.patch(TASK, json={"title": "x"}, headers={"if-match": 'W/"7"'})).status_code == 200
    assert services.requests["UpdateTask"][0].task.etag == "7"


async def test_if_match_star_is_no_etag(rest, services):
    services.respond_with("UpdateTask", task_pb2.Task(id="t1"))
    assert (await rest.patch(TASK, json={"title": "x"}, headers={"if-match": "*"})).status_code == 200
    assert services.requests["UpdateTask"][0].task.etag == ""


@pytest.mark.parametrize("value", ["7", 'w/"7"', '"7", "8"', 'W/"7", W/"8"', '"7', '"é"', "", '*, "7"'])
async def test_if_match_needs_one_etag(rest, services, value):
    response = await rest.patch(TASK, json={"title": "x"}, headers={"if-match": value.encode()})
    assert (response.status_code, error_details(response)) == (400, [("MALFORMED_HEADER", None)])
    assert response.json()["error"]["message"] == 'If-Match must be one entity tag in quotes, such as "2", or *.'


@pytest.mark.parametrize(
    ("rpc", "method", "path"),
    [
        ("PurgeTask", "POST", f"{TASK}:purge"),
        ("CreateTask", "POST", "/api/v1/tasks"),
        ("BatchDeleteTasks", "POST", "/api/v1/tasks:batchDelete"),
        ("UpdateCurrentUser", "PATCH", "/api/v1/me"),
        ("DeleteCurrentUser", "DELETE", "/api/v1/me"),
        ("UploadImport", "POST", "/api/v1/imports"),
    ],
)
async def test_write_does_not_ignore_if_match(rest, services, rpc, method, path):
    """A write that can't check the tag is refused (RFC 9110 section 13.1.1). Only * says nothing about a version."""
    services.fail_with(rpc, grpc.StatusCode.NOT_FOUND, "GONE")
    media_type = "text/csv" if rpc == "UploadImport" else "application/json"
    headers = {"if-match": '"7"', "content-type": media_type}
    response = await rest.request(method, path, content=b"{}", headers=headers)
    assert (response.status_code, error_details(response)) == (400, [("UNSUPPORTED_PRECONDITION", None)])
    assert not services.requests[rpc]
    response = await rest.request(method, path, content=b"{}", headers=headers | {"if-match": "*"})
    assert error_details(response) == [("GONE", None)]


async def test_two_if_match_lines_are_400(rest, services):
    headers = [("if-match", '"7"'), ("if-match", '"8"')]
    response = await rest.patch(TASK, json={"title": "x"}, headers=headers)
    assert (response.status_code, error_details(response)) == (400, [("MALFORMED_HEADER", None)])
    assert not services.received(response)


async def test_empty_idempotency_key_is_400(rest, services):
    """An empty key comes from a client whose variable is empty. It must not run its change without a key."""
    for path in ("/api/v1/tasks", f"{TASK}:undelete", "/api/v1/imports"):
        media_type = "text/csv" if path.endswith("imports") else "application/json"
        headers = {"idempotency-key": "", "content-type": media_type}
        response = await rest.post(path, content=b"{}", headers=headers)
        assert (response.status_code, error_details(response)) == (400, [("MALFORMED_HEADER", None)])
        assert "is empty" in response.json()["error"]["message"]
        assert not services.received(response)


async def test_header_must_equal_the_body_field(rest, services):
    response = await rest.patch(TASK, json={"etag": "7"}, headers={"if-match": '"8"'})
    assert (response.status_code, error_details(response)) == (400, [("CONTRADICTING_HEADER", None)])


async def test_idempotency_key_header_fills_the_field(rest, services):
    services.respond_with("CreateTask", task_pb2.Task(id="t1"))
    services.respond_with("UndeleteTask", task_pb2.Task(id="t1"))
    headers = {"idempotency-key": "k-1"}
    await rest.post("/api/v1/tasks", json={"title": "x"}, headers=headers)
    assert services.requests["CreateTask"][0].idempotency_key == "k-1"
    await rest.post(f"{TASK}:undelete", headers=headers)
    await rest.post(f"{TASK}:undelete", json={"idempotency_key": "k-1"})
    assert [request.idempotency_key for request in services.requests["UndeleteTask"]] == ["k-1", "k-1"]
    response = await rest.post(f"{TASK}:undelete", json={"idempotency_key": "k-2"}, headers=headers)
    assert error_details(response) == [("CONTRADICTING_HEADER", None)]


async def test_matching_if_none_match_is_304(rest, services):
    services.respond_with("GetTask", task_pb2.Task(id="t1", etag="7"))
    first = await rest.get(TASK)
    assert first.headers["etag"] == '"7"'
    revalidated = await rest.get(TASK, headers={"if-none-match": '"6", "7"'})
    assert (revalidated.status_code, revalidated.content, revalidated.headers["etag"]) == (304, b"", '"7"')
    assert (await rest.get(TASK, headers={"if-none-match": '"6"'})).status_code == 200


async def test_unchanged_list_is_304(rest, services):
    services.respond_with("ListTasks", task_service_pb2.ListTasksResponse(tasks=[task_pb2.Task(id="t1")]))
    tag = (await rest.get("/api/v1/tasks")).headers["etag"]
    assert (await rest.get("/api/v1/tasks", headers={"if-none-match": tag})).status_code == 304
    services.respond_with("ListTasks", task_service_pb2.ListTasksResponse(tasks=[task_pb2.Task(id="t2")]))
    assert (await rest.get("/api/v1/tasks", headers={"if-none-match": tag})).status_code == 200
