"""Calls of one message and one answer."""

import asyncio

import grpc
import pytest
from taskmanager.auth.v1 import auth_service_pb2, user_pb2
from taskmanager.tasks.v1 import history_service_pb2, task_pb2, task_service_pb2

from tests.support.rest import error_details

MILK = task_pb2.Task(id="t1", title="Buy milk", status=task_pb2.Task.STATUS_IN_PROGRESS)


async def test_a_task_is_read_with_every_field_there(rest, services):
    services.answer("GetTask", MILK)
    answer = await rest.get("/api/v1/tasks/t1")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert services.requests["GetTask"] == [task_service_pb2.GetTaskRequest(id="t1")]
    task = answer.json()
    assert set(task) == {field.name for field in task_pb2.Task.DESCRIPTOR.fields}
    assert task["status"] == "in_progress"


@pytest.mark.parametrize("path", ["/api/v1/tasks", "/api/tasks"])
async def test_a_task_is_created_from_the_body_and_its_place_is_told(rest, services, path):
    services.answer("CreateTask", MILK)
    answer = await rest.post(path, json={"title": "Buy milk", "status": "in-progress"})
    assert answer.status_code == 201
    assert answer.headers["location"] == "/api/v1/tasks/t1"
    assert services.requests["CreateTask"] == [
        task_service_pb2.CreateTaskRequest(
            task=task_pb2.Task(title="Buy milk", status=task_pb2.Task.STATUS_IN_PROGRESS)
        )
    ]


@pytest.mark.parametrize("path", ["/api/v1/register", "/api/register", "/api/auth/register"])
async def test_the_product_s_own_paths_register(rest, services, path):
    services.answer("Register", user_pb2.User(id="u1", username="sonu", role=user_pb2.ROLE_USER))
    sonu = {"username": "sonu", "email": "sonu@example.com", "password": "test123"}
    answer = await rest.post(path, json={**sonu, "role": "user"})
    assert answer.status_code == 201
    assert answer.json()["role"] == "user"
    assert "location" not in answer.headers
    assert services.requests["Register"] == [auth_service_pb2.RegisterRequest(**sonu, role=user_pb2.ROLE_USER)]


async def test_a_list_takes_its_filters_from_the_query(rest, services):
    services.answer("ListTasks", task_service_pb2.ListTasksResponse(tasks=[MILK]))
    answer = await rest.get("/api/tasks?page_size=2&status=pending,in-progress&show_deleted=true")
    assert [task["id"] for task in answer.json()["tasks"]] == ["t1"]
    assert answer.json()["next_page_token"] == ""
    (request,) = services.requests["ListTasks"]
    assert (request.page_size, list(request.status), request.show_deleted) == (2, [1, 2], True)


async def test_a_slash_that_is_escaped_in_an_id_stays_in_it(rest, services):
    services.answer("ListTaskEvents", history_service_pb2.ListTaskEventsResponse())
    await rest.get("/api/v1/tasks/a%2Fb%3Ac/events")
    assert services.requests["ListTaskEvents"][0].task_id == "a/b:c"


async def test_a_body_without_a_content_type_is_json_and_an_empty_one_is_an_empty_object(rest, services):
    services.answer("Login", auth_service_pb2.LoginResponse(access_token="t"))
    await rest.post("/api/login", content=b'{"email": "a"}')
    await rest.post("/api/login")
    assert [request.email for request in services.requests["Login"]] == ["a", ""]


async def test_head_is_get_without_the_body(rest, services):
    services.answer("GetTask", MILK)
    answer = await rest.head("/api/v1/tasks/t1")
    assert answer.status_code == 200
    assert answer.content == b""
    assert int(answer.headers["content-length"]) > 100


async def test_a_token_and_a_request_id_go_upstream_and_nothing_else_does(rest, services):
    services.answer("GetTask", MILK)
    headers = {
        "authorization": "Bearer abc",
        "x-request-id": "mine-1",
        "x-user-id": "admin",
        "grpc-metadata-role": "admin",
        "x-forwarded-for": "1.2.3.4",
        "cookie": "a=b",
    }
    answer = await rest.get("/api/v1/tasks/t1", headers=headers)
    assert answer.headers["x-request-id"] == "mine-1"
    ours = {key: value for key, value in services.metadata.items() if key != "user-agent"}
    assert ours == {"authorization": "Bearer abc", "x-request-id": "mine-1"}


@pytest.mark.parametrize("offered", ["", "a b", "x" * 65, "a\tb", '"'])
async def test_a_request_id_that_can_not_be_logged_is_replaced(rest, services, offered):
    services.answer("GetTask", MILK)
    answer = await rest.get("/api/v1/tasks/t1", headers={"x-request-id": offered})
    assert answer.headers["x-request-id"] != offered
    assert services.metadata["x-request-id"] == answer.headers["x-request-id"]


async def test_a_header_that_can_not_go_upstream_is_refused(rest, services):
    for value in ("Bearer \xe4".encode("latin-1"), b"Bearer " + b"x" * 5000):
        answer = await rest.get("/api/v1/tasks/t1", headers=[(b"authorization", value)])
        assert answer.status_code == 400
        assert error_details(answer) == [("MALFORMED_HEADER", None)]
    answer = await rest.get("/api/v1/tasks/t1", headers=[("authorization", "Bearer a"), ("authorization", "Bearer b")])
    assert error_details(answer) == [("MALFORMED_HEADER", None)]
    assert services.calls == 0


async def test_what_the_gateway_itself_finds_wrong_is_told_at_once_and_not_sent_on(rest, services):
    answer = await rest.post("/api/tasks?nope=1", json={"title": 5, "status": "PENDING", "id": "x", "due": ""})
    assert answer.status_code == 400
    assert answer.json()["error"]["status"] == "INVALID_ARGUMENT"
    assert error_details(answer) == [
        ("UNKNOWN_PARAMETER", "nope"),
        ("WRONG_TYPE", "title"),
        ("UNKNOWN_VALUE", "status"),
        ("READ_ONLY_FIELD", "id"),
        ("UNKNOWN_FIELD", "due"),
    ]
    assert services.calls == 0


@pytest.mark.parametrize(
    ("path", "field", "spelt"),
    [
        ("/api/tasks", "task.title", "title"),
        ("/api/tasks", "title", "title"),
        ("/api/tasks", "task", None),
        ("/api/login", "email", "email"),
    ],
)
async def test_a_service_s_violation_names_the_field_as_the_client_spelt_it(rest, services, path, field, spelt):
    rpc = "Login" if path == "/api/login" else "CreateTask"
    services.refuse(rpc, grpc.StatusCode.INVALID_ARGUMENT, "BLANK", "Must not be blank.", field)
    answer = await rest.post(path, json={})
    assert answer.status_code == 400
    assert error_details(answer) == [("BLANK", spelt)]


async def test_a_service_s_refusal_keeps_its_reason_and_its_message(rest, services):
    services.refuse("GetTask", grpc.StatusCode.NOT_FOUND, "TASK_NOT_FOUND", "There is no such task.")
    answer = await rest.get("/api/v1/tasks/t1")
    assert answer.status_code == 404
    assert error_details(answer) == [("TASK_NOT_FOUND", None)]
    assert answer.json()["error"]["message"] == "There is no such task."


async def test_a_refused_token_is_401_with_a_challenge(rest, services):
    services.refuse("GetCurrentUser", grpc.StatusCode.UNAUTHENTICATED, "TOKEN_EXPIRED", "The token has expired.")
    answer = await rest.get("/api/v1/me")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_an_exception_in_a_service_leaks_nothing(rest, services):
    async def fail(_request, _context):
        raise RuntimeError("postgres://app:secret@db")

    services.answers["GetTask"] = fail
    answer = await rest.get("/api/v1/tasks/t1")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert answer.json()["error"]["message"] == "internal error"


@pytest.mark.parametrize(
    ("code", "http_status"), [(grpc.StatusCode.UNAVAILABLE, 503), (grpc.StatusCode.CANCELLED, 503)]
)
async def test_a_service_that_goes_away_is_asked_again_for_what_may_be_repeated(rest, services, code, http_status):
    async def stumble(_request, context):
        if services.calls == 1:
            await context.abort(code, "restarting")
        return MILK

    services.answers["GetTask"] = stumble
    assert (await rest.get("/api/v1/tasks/t1")).status_code == 200
    services.reset()
    services.answers["CreateTask"] = stumble
    answer = await rest.post("/api/v1/tasks", json={"title": "Once"})
    assert answer.status_code == http_status
    assert services.calls == 1


@pytest.mark.parametrize("path", ["/", "/api", "/api/v1/tasks/", "/api/v1/tasks/t1:nope", "/metrics", "/docs/../x"])
async def test_a_path_that_is_no_route_is_404_in_the_one_shape(rest, services, path):
    answer = await rest.get(path)
    assert answer.status_code == 404
    assert error_details(answer) == [("ROUTE_NOT_FOUND", None)]


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PATCH", "/api/tasks", "GET, HEAD, POST"),
        ("GET", "/api/login", "POST"),
        ("POST", "/healthz", "GET, HEAD"),
        ("OPTIONS", "/api/v1/tasks/t1", "DELETE, GET, HEAD, PATCH"),
    ],
)
async def test_a_method_that_a_path_does_not_take_is_405_with_those_it_does(rest, services, method, path, allow):
    answer = await rest.request(method, path)
    assert answer.status_code == 405
    assert answer.headers["allow"] == allow
    assert error_details(answer) == [("METHOD_NOT_ALLOWED", None)]


async def test_the_next_request_on_a_connection_is_not_disturbed_by_a_refused_one(rest, services):
    services.answer("GetTask", MILK)
    for _ in range(3):
        await rest.post("/api/v1/nowhere", content=b"x" * 5000)
        assert (await rest.get("/api/v1/tasks/t1")).status_code == 200


async def test_two_requests_at_once_keep_their_own_ids(rest, services):
    both_are_here = asyncio.Barrier(2)

    async def wait(request, context):
        await both_are_here.wait()
        return task_pb2.Task(id=request.id, title=dict(context.invocation_metadata())["x-request-id"])

    services.answers["GetTask"] = wait
    answers = await asyncio.gather(
        *(rest.get(f"/api/v1/tasks/{name}", headers={"x-request-id": f"r-{name}"}) for name in ("a", "b"))
    )
    assert [(answer.json()["title"], answer.headers["x-request-id"]) for answer in answers] == [
        ("r-a", "r-a"),
        ("r-b", "r-b"),
    ]
