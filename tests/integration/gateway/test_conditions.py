"""What REST says by header or by leaving out: masks, entity tags, idempotency keys."""

import grpc
import pytest
from taskmanager.tasks.v1 import task_pb2, task_service_pb2

from tests.support.rest import error_details

TASK = "/api/v1/tasks/t1"


async def test_the_keys_of_a_patch_are_its_mask(rest, services):
    services.answer("UpdateTask", task_pb2.Task(id="t1", etag="8"))
    answer = await rest.patch(TASK, json={"title": "New", "due_date": None, "labels": [], "etag": "7"})
    assert answer.status_code == 200
    (request,) = services.requests["UpdateTask"]
    assert sorted(request.update_mask.paths) == ["due_date", "labels", "title"]
    assert (request.id, request.task) == ("t1", task_pb2.Task(title="New", etag="7"))


@pytest.mark.parametrize("field", ["update_mask", "task", "idempotency_key", "created_at"])
async def test_a_patch_holds_nothing_but_what_can_be_written(rest, services, field):
    answer = await rest.patch(TASK, json={field: "x"})
    assert answer.status_code == 400
    assert error_details(answer) == [("READ_ONLY_FIELD" if field == "created_at" else "UNKNOWN_FIELD", field)]
    assert not services.got(answer)


async def test_in_a_batch_each_resource_s_keys_are_its_mask(rest, services):
    services.answer("BatchUpdateTasks", task_service_pb2.BatchUpdateTasksResponse())
    requests = [{"id": "t1", "task": {"title": "a", "etag": "7"}}, {"id": "t2", "task": {"due_date": None}}]
    assert (await rest.post("/api/v1/tasks:batchUpdate", json={"requests": requests})).status_code == 200
    first, second = services.requests["BatchUpdateTasks"][0].requests
    assert (first.id, list(first.update_mask.paths), first.task.etag) == ("t1", ["title"], "7")
    assert (second.id, list(second.update_mask.paths)) == ("t2", ["due_date"])


async def test_a_mask_is_no_query_parameter(rest, services):
    assert error_details(await rest.patch(f"{TASK}?update_mask=title", json={})) == [
        ("UNKNOWN_PARAMETER", "update_mask")
    ]


async def test_if_match_is_the_precondition_and_is_answered_412(rest, services):
    services.refuse("UpdateTask", grpc.StatusCode.ABORTED, "ETAG_MISMATCH")
    by_header = await rest.patch(TASK, json={"title": "x"}, headers={"if-match": '"7"'})
    assert services.requests["UpdateTask"][0].task.etag == "7"
    assert (by_header.status_code, error_details(by_header)) == (412, [("ETAG_MISMATCH", None)])
    in_body = await rest.patch(TASK, json={"title": "x", "etag": "7"})
    assert in_body.status_code == 409


async def test_if_match_guards_a_delete(rest, services):
    services.answer("DeleteTask", task_pb2.Task(id="t1"))
    await rest.delete(TASK, headers={"if-match": '"7"'})
    assert services.requests["DeleteTask"] == [task_service_pb2.DeleteTaskRequest(id="t1", etag="7")]


@pytest.mark.parametrize("value", ["7", 'W/"7"', '"7", "8"', '"7', '"é"'])
async def test_an_if_match_that_can_not_be_met_exactly_is_refused(rest, services, value):
    answer = await rest.patch(TASK, json={"title": "x"}, headers={"if-match": value.encode()})
    assert (answer.status_code, error_details(answer)) == (400, [("MALFORMED_HEADER", None)])
    assert answer.json()["error"]["message"] == 'If-Match takes one entity tag in quotes, such as "2", or *.'


async def test_a_header_and_a_body_that_differ_are_refused(rest, services):
    answer = await rest.patch(TASK, json={"etag": "7"}, headers={"if-match": '"8"'})
    assert (answer.status_code, error_details(answer)) == (400, [("CONTRADICTING_HEADER", None)])


async def test_an_idempotency_key_goes_where_the_contract_has_it(rest, services):
    services.answer("CreateTask", task_pb2.Task(id="t1"))
    services.answer("UndeleteTask", task_pb2.Task(id="t1"))
    headers = {"idempotency-key": "k-1"}
    await rest.post("/api/v1/tasks", json={"title": "x"}, headers=headers)
    assert services.requests["CreateTask"][0].idempotency_key == "k-1"
    await rest.post(f"{TASK}:undelete", headers=headers)
    await rest.post(f"{TASK}:undelete", json={"idempotency_key": "k-1"})
    assert [request.idempotency_key for request in services.requests["UndeleteTask"]] == ["k-1", "k-1"]
    answer = await rest.post(f"{TASK}:undelete", json={"idempotency_key": "k-2"}, headers=headers)
    assert error_details(answer) == [("CONTRADICTING_HEADER", None)]


async def test_what_the_client_has_already_is_304(rest, services):
    services.answer("GetTask", task_pb2.Task(id="t1", etag="7"))
    first = await rest.get(TASK)
    assert first.headers["etag"] == '"7"'
    again = await rest.get(TASK, headers={"if-none-match": '"6", "7"'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", '"7"')
    assert (await rest.get(TASK, headers={"if-none-match": '"6"'})).status_code == 200


async def test_a_list_is_304_until_it_changes(rest, services):
    services.answer("ListTasks", task_service_pb2.ListTasksResponse(tasks=[task_pb2.Task(id="t1")]))
    tag = (await rest.get("/api/v1/tasks")).headers["etag"]
    assert (await rest.get("/api/v1/tasks", headers={"if-none-match": tag})).status_code == 304
    services.answer("ListTasks", task_service_pb2.ListTasksResponse(tasks=[task_pb2.Task(id="t2")]))
    assert (await rest.get("/api/v1/tasks", headers={"if-none-match": tag})).status_code == 200
