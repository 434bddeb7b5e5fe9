"""Unary calls."""

import asyncio

import grpc
import pytest
from taskmanager.auth.v1 import auth_service_pb2, user_pb2
from taskmanager.tasks.v1 import history_service_pb2, task_pb2, task_service_pb2

from tests.support.rest import error_details

TASK = task_pb2.Task(id="t1", title="Buy milk", status=task_pb2.Task.STATUS_IN_PROGRESS)


async def test_get_returns_every_field(rest, services):
    services.respond_with("GetTask", TASK)
    response = await rest.get("/api/v1/tasks/t1")
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert services.requests["GetTask"] == [task_service_pb2.GetTaskRequest(id="t1")]
    task = response.json()
    assert set(task) == {field.name for field in task_pb2.Task.DESCRIPTOR.fields}
    assert task["status"] == "in_progress"


@pytest.mark.parametrize("path", ["/api/v1/tasks", "/api/tasks"])
async def test_create_returns_201_and_location(rest, services, path):
    services.respond_with("CreateTask", TASK)
    response = await rest.post(path, json={"title": "Buy milk", "status": "in-progress"})
    assert response.status_code == 201
    assert response.headers["location"] == "/api/v1/tasks/t1"
    assert services.requests["CreateTask"] == [
        task_service_pb2.CreateTaskRequest(
            task=task_pb2.Task(title="Buy milk", status=task_pb2.Task.STATUS_IN_PROGRESS)
        )
    ]


@pytest.mark.parametrize("path", ["/api/v1/register", "/api/register", "/api/auth/register"])
async def test_alias_paths_register(rest, services, path):
    services.respond_with("Register", user_pb2.User(id="u1", username="sonu", role=user_pb2.ROLE_USER))
    sonu = {"username": "sonu", "email": "sonu@example.com", "password": "test123"}
    response = await rest.post(path, json={**sonu, "role": "user"})
    assert response.status_code == 201
    assert response.json()["role"] == "user"
    assert "location" not in response.headers
    assert services.requests["Register"] == [auth_service_pb2.RegisterRequest(**sonu, role=user_pb2.ROLE_USER)]


async def test_list_filters_come_from_the_query(rest, services):
    services.respond_with("ListTasks", task_service_pb2.ListTasksResponse(tasks=[TASK]))
    response = await rest.get("/api/tasks?page_size=2&status=pending,in-progress&show_deleted=true")
    assert [task["id"] for task in response.json()["tasks"]] == ["t1"]
    assert response.json()["next_page_token"] == ""
    (request,) = services.requests["ListTasks"]
    assert (request.page_size, list(request.status), request.show_deleted) == (2, [1, 2], True)


async def test_escaped_slash_stays_in_the_id(rest, services):
    services.respond_with("ListTaskEvents", history_service_pb2.ListTaskEventsResponse())
    await rest.get("/api/v1/tasks/a%2Fb%3Ac/events")
    assert services.requests["ListTaskEvents"][0].task_id == "a/b:c"


async def test_body_without_content_type_is_json(rest, services):
    """A body without a Content-Type counts as JSON, and an empty body as an empty object."""
    services.respond_with("Login", auth_service_pb2.LoginResponse(access_token="t"))
    await rest.post("/api/login", content=b'{"email": "a"}')
    await rest.post("/api/login")
    assert [request.email for request in services.requests["Login"]] == ["a", ""]


async def test_head_has_no_body(rest, services):
    services.respond_with("GetTask", TASK)
    response = await rest.head("/api/v1/tasks/t1")
    assert response.status_code == 200
    assert response.content == b""
    assert int(response.headers["content-length"]) > 100


async def test_only_token_and_request_id_are_forwarded(rest, services):
    services.respond_with("GetTask", TASK)
    headers = {
        "authorization": "Bearer abc",
        "x-request-id": "mine-1",
        "x-user-id": "admin",
        "grpc-metadata-role": "admin",
        "x-forwarded-for": "1.2.3.4",
        "cookie": "a=b",
    }
    response = await rest.get("/api/v1/tasks/t1", headers=headers)
    assert response.headers["x-request-id"] == "mine-1"
    ours = {key: value for key, value in services.metadata.items() if key != "user-agent"}
    assert ours == {"authorization": "Bearer abc", "x-request-id": "mine-1"}


@pytest.mark.parametrize("offered", ["", "a b", "x" * 65, "a\tb", '"'])
async def test_malformed_request_id_is_replaced(rest, services, offered):
    services.respond_with("GetTask", TASK)
    response = await rest.get("/api/v1/tasks/t1", headers={"x-request-id": offered})
    assert response.headers["x-request-id"] != offered
    assert services.metadata["x-request-id"] == response.headers["x-request-id"]


async def test_malformed_authorization_is_400(rest, services):
    for value in ("Bearer \xe4".encode("latin-1"), b"Bearer " + b"x" * 5000):
        response = await rest.get("/api/v1/tasks/t1", headers=[(b"authorization", value)])
        assert response.status_code == 400
        assert error_details(response) == [("MALFORMED_HEADER", None)]
    response = await rest.get(
        "/api/v1/tasks/t1", headers=[("authorization", "Bearer a"), ("authorization", "Bearer b")]
    )
    assert error_details(response) == [("MALFORMED_HEADER", None)]
    assert services.calls == 0


async def test_invalid_request_does_not_reach_the_service(rest, services):
    """The gateway reports all violations at once and does not call the service."""
    response = await rest.post("/api/tasks?nope=1", json={"title": 5, "status": "PENDING", "id": "x", "due": ""})
    assert response.status_code == 400
    assert response.json()["error"]["status"] == "INVALID_ARGUMENT"
    assert error_details(response) == [
        ("UNKNOWN_PARAMETER", "nope"),
        ("WRONG_TYPE", "title"),
        ("UNKNOWN_VALUE", "status"),
        ("READ_ONLY_FIELD", "id"),
        ("UNKNOWN_FIELD", "due"),
    ]
    assert services.calls == 0


async def test_misspelt_field_is_recognized(rest):
    response = await rest.post("/api/tasks", json={"titel": "Buy milk", "colour": "red"})
    messages = [detail["message"] for detail in response.json()["error"]["details"]]
    assert messages == ["Unknown field. Did you mean title? See /docs.", "Unknown field. See /docs."]


@pytest.mark.parametrize(
    ("path", "field", "client_field"),
    [
        ("/api/tasks", "task.title", "title"),
        ("/api/tasks", "title", "title"),
        ("/api/tasks", "task", None),
        ("/api/login", "email", "email"),
    ],
)
async def test_violation_has_the_client_field_path(rest, services, path, field, client_field):
    rpc = "Login" if path == "/api/login" else "CreateTask"
    services.fail_with(rpc, grpc.StatusCode.INVALID_ARGUMENT, "BLANK", "Must not be blank.", field)
    response = await rest.post(path, json={})
    assert response.status_code == 400
    assert error_details(response) == [("BLANK", client_field)]


async def test_service_error_keeps_reason_and_message(rest, services):
    services.fail_with("GetTask", grpc.StatusCode.NOT_FOUND, "TASK_NOT_FOUND", "There is no such task.")
    response = await rest.get("/api/v1/tasks/t1")
    assert response.status_code == 404
    assert error_details(response) == [("TASK_NOT_FOUND", None)]
    assert response.json()["error"]["message"] == "There is no such task."


async def test_rejected_token_is_401_with_challenge(rest, services):
    services.fail_with("GetCurrentUser", grpc.StatusCode.UNAUTHENTICATED, "TOKEN_EXPIRED", "The token has expired.")
    response = await rest.get("/api/v1/me")
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"


async def test_service_exception_leaks_nothing(rest, services):
    async def fail(_request, _context):
        raise RuntimeError("postgres://app:secret@db")

    services.handlers["GetTask"] = fail
    response = await rest.get("/api/v1/tasks/t1")
    assert response.status_code == 500
    assert "secret" not in response.text
    assert response.json()["error"]["message"] == "internal error"


@pytest.mark.parametrize("path", ["/", "/api", "/api/v1/tasks/", "/api/v1/tasks/t1:nope", "/metrics", "/docs/../x"])
async def test_unknown_path_is_404_with_the_error_body(rest, services, path):
    response = await rest.get(path)
    assert response.status_code == 404
    assert error_details(response) == [("ROUTE_NOT_FOUND", None)]


@pytest.mark.parametrize(
    ("path", "question"),
    [
        ("/api/tasks/0b0c7b9e", " Did you mean /api/v1/tasks/{id}?"),
        ("/tasks/0b0c7b9e?page_size=1", " Did you mean /api/v1/tasks/{id}?"),
        ("/api/v1/tasks/", " Did you mean /api/v1/tasks?"),
        ("/api/v2/tasks/7/undelete", " Did you mean /api/v1/tasks/{id}:undelete?"),
        ("/api/v1/logn", " Did you mean /api/v1/login or /api/v1/logout?"),
        ("/wp-admin", ""),
        ("/api/v1/tasks/%1b%F0%9F%98%80/", " Did you mean /api/v1/tasks/{id}?"),
        ("/api/v1/tasks/" + "7" * 1000 + "/", ""),
        ("/api/v1/" + "tasks" * 18, ""),
    ],
)
async def test_unknown_path_suggests_a_path(rest, path, question):
    """The text has no part of the request, and a long path is not compared."""
    response = await rest.get(path)
    assert response.status_code == 404
    assert response.json()["error"]["message"] == f"No such path.{question} See /docs."


@pytest.mark.parametrize("verb", ["/undelet", ":Undelete"])
async def test_unknown_verb_suggests_the_verbs_of_the_path(rest, verb):
    response = await rest.post(f"/api/v1/tasks/0b0c7b9e{verb}")
    assert "/api/v1/tasks/{id}:undelete" in response.json()["error"]["message"]


@pytest.mark.parametrize(
    ("path", "suggestion"),
    [
        ("/api/v1/tasks/0b0c7b9e/restore", "/api/v1/tasks/{id}:undelete"),
        ("/tasks/0b0c7b9e:restore", "/api/v1/tasks/{id}:undelete"),
        ("/api/v1/tasks/0b0c7b9e/history", "/api/v1/tasks/{task_id}/events"),
        ("/api/v1/signup", "/api/v1/register"),
    ],
)
async def test_words_of_other_apis_suggest_one_path(rest, path, suggestion):
    """A synonym suggests only the path that is meant, not one that looks similar: no purge for restore."""
    response = await rest.post(path)
    assert response.json()["error"]["message"] == f"No such path. Did you mean {suggestion}? See /docs."


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PATCH", "/api/tasks", "GET, HEAD, POST"),
        ("GET", "/api/login", "POST"),
        ("POST", "/healthz", "GET, HEAD"),
        ("OPTIONS", "/api/v1/tasks/t1", "DELETE, GET, HEAD, PATCH"),
    ],
)
async def test_unsupported_method_is_405_with_allow(rest, services, method, path, allow):
    response = await rest.request(method, path)
    assert response.status_code == 405
    assert response.headers["allow"] == allow
    assert error_details(response) == [("METHOD_NOT_ALLOWED", None)]


async def test_connection_survives_a_rejected_body(rest, services):
    services.respond_with("GetTask", TASK)
    for _ in range(3):
        await rest.post("/api/v1/nowhere", content=b"x" * 5000)
        assert (await rest.get("/api/v1/tasks/t1")).status_code == 200


async def test_concurrent_requests_keep_their_ids(rest, services):
    both_started = asyncio.Barrier(2)

    async def wait(request, context):
        await both_started.wait()
        return task_pb2.Task(id=request.id, title=dict(context.invocation_metadata())["x-request-id"])

    services.handlers["GetTask"] = wait
    responses = await asyncio.gather(
        *(rest.get(f"/api/v1/tasks/{name}", headers={"x-request-id": f"r-{name}"}) for name in ("a", "b"))
    )
    assert [(response.json()["title"], response.headers["x-request-id"]) for response in responses] == [
        ("r-a", "r-a"),
        ("r-b", "r-b"),
    ]
