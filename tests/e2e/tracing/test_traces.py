"""Traces of calls and imports, as a collector receives them."""

import secrets

import grpc
import httpx2 as httpx
from taskmanager.tasks.v1 import task_service_pb2, task_service_pb2_grpc

from tests.e2e.tracing.stack import log_lines, running_gateway
from tests.support.grpc_calls import bearer
from tests.support.otlp_collector import Collector, RecordedSpan
from tests.support.users import PASSWORD, User

UPLOAD_SERVER = "task_service: taskmanager.imports.v1.ImportService/UploadImport"
BATCHES = 3


def server_span_of(collector: Collector, method: str, user: User) -> RecordedSpan:
    """Return the newest span of a service that served the user's call of a method."""
    return collector.wait_for(
        lambda span: span.name.endswith(f"/{method}") and span.attributes.get("enduser.id") == user.id
    )


def new_trace(flags: str = "01") -> tuple[str, str]:
    """Return a new trace id and the header traceparent of a client's span in it."""
    trace_id = secrets.token_hex(16)
    return trace_id, f"00-{trace_id}-{secrets.token_hex(8)}-{flags}"


def test_create_is_one_trace(collector, traced_stack, user):
    """A POST of a task is one trace from the gateway through gRPC to the SQL statement."""
    assert user.http.post("/api/v1/tasks", json={"title": "Buy milk"}).status_code == 201
    service = "task_service: taskmanager.tasks.v1.TaskService/CreateTask"
    statements = ["task_service: INSERT tasks"]
    client, request = "gateway: taskmanager.tasks.v1.TaskService/CreateTask", "gateway: POST /api/v1/tasks"
    trace_id = server_span_of(collector, "CreateTask", user).trace_id
    trace = collector.wait_for_trace(trace_id, request, client, service, *statements)

    assert sorted(trace.labels) == sorted([request, client, service, *statements])
    assert trace[request].parent_id == ""
    assert trace.parents(client) == {request}
    assert trace.parents(service) == {client}
    assert {parent for sql in statements for parent in trace.parents(sql)} == {service}
    assert (trace[request].kind, trace[client].kind, trace[service].kind) == ("SERVER", "CLIENT", "SERVER")
    assert trace[request].attributes == {
        "http.request.method": "POST",
        "http.route": "/api/v1/tasks",
        "http.response.status_code": 201,
        "url.path": "/api/v1/tasks",
        "url.scheme": "http",
    }
    assert trace[service].attributes == {
        "rpc.system": "grpc",
        "rpc.service": "taskmanager.tasks.v1.TaskService",
        "rpc.method": "CreateTask",
        "rpc.grpc.status_code": 0,
        "enduser.id": user.id,
    }
    assert trace["task_service: INSERT tasks"].attributes == {
        "db.system.name": "postgresql",
        "db.operation.name": "INSERT",
        "db.collection.name": "tasks",
        "db.query.summary": "INSERT tasks",
    }
    resource = trace[service].resource
    assert resource["deployment.environment.name"] == "tests"
    assert resource["service.version"]
    assert resource["service.instance.id"] != trace[request].resource["service.instance.id"]
    # Log lines name their span.
    (line,) = log_lines(traced_stack, f'"span_id": "{trace[service].id}"')
    assert (line["event"], line["trace_id"]) == ("call", trace_id)


def test_login_is_one_trace(collector, traced_stack, user):
    """A login is a trace of the gateway and auth_service."""
    name = "taskmanager.auth.v1.AuthService/Login"
    trace_id = collector.wait_for(lambda span: span.label == f"auth_service: {name}").trace_id
    request = "gateway: POST /api/login"
    trace = collector.wait_for_trace(trace_id, request, f"gateway: {name}", "auth_service: INSERT sessions")
    assert trace.parents(f"gateway: {name}") == {request}
    assert trace.parents(f"auth_service: {name}") == {f"gateway: {name}"}
    assert trace.parents("auth_service: INSERT sessions") == {f"auth_service: {name}"}


def test_import_is_one_trace(collector, traced_stack, user):
    """An import is one trace from the upload to the last batch, and so is its undo."""
    rows = "".join(f"Task {number}\n" for number in range(100 * BATCHES))
    imported = user.upload(f"title\n{rows}")
    assert user.wait_for_import(imported["id"])["state"] == "succeeded"
    assert user.http.post(f"/api/v1/imports/{imported['id']}:undo").status_code == 200
    last = (
        "import_worker: finish import",
        "task_service: finish import",
        "task_service: undo step",
        "task_service: taskmanager.imports.v1.ImportIngestService/ReadUpload",
    )
    trace_id = server_span_of(collector, "UploadImport", user).trace_id
    trace = collector.wait_for_trace(trace_id, "gateway: POST /api/upload-csv", *last)

    assert trace.parents(UPLOAD_SERVER) == {"gateway: POST /api/upload-csv"}
    steps = ("send imports", "prepare batch", "write batch", "finish import", "undo step")
    of_service, of_worker = [f"task_service: {step}" for step in steps], ["claim import", "open stream", "send batch"]
    for label in (*of_service, *(f"import_worker: {step}" for step in of_worker), *last):
        assert trace.parents(label) == {UPLOAD_SERVER}, label
    for label in ("task_service: prepare batch", "task_service: write batch", "import_worker: send batch"):
        batches = [span for span in trace.spans if span.label == label]
        assert [span.attributes["taskmanager.batch.records"] for span in batches] == [100] * BATCHES
        assert {span.attributes["taskmanager.import.id"] for span in batches} == {imported["id"]}
    assert trace.parents("task_service: COPY tasks") == {"task_service: write batch"}
    assert not [span for span in trace.spans if span.is_error]
    # No span lasts as long as the stream of batches.
    assert not [label for label in trace.labels if "IngestRows" in label]


def test_failed_call_has_its_status(collector, traced_stack, user):
    """A failed call has its status and error.type. A refused request is no error of the server."""
    assert user.http.get(f"/api/v1/tasks/{user.id}").status_code == 404
    server = server_span_of(collector, "GetTask", user)
    name = "taskmanager.tasks.v1.TaskService/GetTask"
    trace = collector.wait_for_trace(server.trace_id, "gateway: GET /api/v1/tasks/{id}", f"gateway: {name}")
    client, request = trace[f"gateway: {name}"], trace["gateway: GET /api/v1/tasks/{id}"]
    for span in (server, client):
        assert (span.attributes["rpc.grpc.status_code"], span.attributes["error.type"]) == (5, "NOT_FOUND")
    assert (server.is_error, client.is_error) == (False, True)
    assert request.attributes["url.path"] == f"/api/v1/tasks/{user.id}"
    assert (request.attributes["http.response.status_code"], request.is_error) == (404, False)


def test_unreachable_service_is_an_error(collector, traced_stack, user):
    """A call that reaches no service, and the response 503, are errors."""
    with running_gateway(traced_stack, GATEWAY_TASKS_TARGET="127.0.0.1:1", OTEL_SERVICE_NAME="lonely") as (url, _):
        headers = dict(user.http.headers)
        assert httpx.get(f"{url}/api/v1/tasks/{user.id}", headers=headers, timeout=30).status_code == 503
        request = collector.wait_for(lambda span: span.label == "lonely: GET /api/v1/tasks/{id}")
        call = collector.wait_for(lambda span: span.label == "lonely: taskmanager.tasks.v1.TaskService/GetTask")
    assert (request.is_error, request.attributes["error.type"]) == (True, "503")
    assert (call.is_error, call.attributes["error.type"], call.parent_id) == (True, "UNAVAILABLE", request.id)


def test_no_span_holds_a_secret(collector, traced_stack, user):
    """No span has a password, a token, an email or a query, not even of a wrong request."""
    email = user.http.get("/api/v1/me").json()["email"]
    token = user.http.post("/api/v1/me/tokens", json={"name": "t", "scopes": ["tasks:read"]}).json()["token"]
    url = traced_stack.url
    account = {"username": "x", "email": email, "password": PASSWORD}
    assert httpx.post(f"{url}/api/register", json=account).status_code in {400, 409}
    assert httpx.post(f"{url}/api/login", json={"email": email, "password": "wrong-secret"}).status_code == 401
    assert httpx.get(f"{url}/api/tasks", headers={"authorization": f"Bearer {token}"}).status_code == 200
    assert user.http.get(f"/api/v1/tasks/{token}").status_code == 400
    assert user.http.get(f"/api/v1/tasks/{email}", params={"password": PASSWORD}).status_code == 400
    assert user.http.get(f"/no/{token}").status_code == 404
    user.http.post("/api/v1/tasks", json={"title": "a private title"})
    server_span_of(collector, "CreateTask", user)
    texts = [f"{span.name} {span.attributes}" for span in collector.spans]
    jwt = user.http.headers["authorization"].removeprefix("Bearer ")
    secrets_of_user = (email, PASSWORD, "wrong-secret", token, token[:20], jwt, jwt[:20], "private", "@", "?")
    assert [text for text in texts if any(secret in text for secret in secrets_of_user)] == []


def test_polls_have_no_spans(collector, traced_stack, user):
    """Health, reflection, and the polls of our own services are not traced."""
    httpx.get(f"{traced_stack.url}/healthz").raise_for_status()
    user.http.post("/api/v1/tasks", json={"title": "Later than the poll"})
    server_span_of(collector, "CreateTask", user)
    names = {span.name for span in collector.spans}
    polls = ("grpc.", "healthz", "readyz", "GetTrustState", "ClaimNextImport")
    assert [name for name in names if any(poll in name for poll in polls)] == []
    roots = {span.name for span in collector.spans if not span.parent_id and span.kind != "SERVER"}
    assert roots == set()


def test_trace_of_a_client_is_only_linked(collector, traced_stack, user):
    """By default a client can't choose the trace id or the sampling. A malformed header is ignored."""
    trace_id, traceparent = new_trace("00")
    for header, linked in ((traceparent, (trace_id,)), (f"{traceparent}-x", ()), ("00-0-0-01", ()), ("é", ())):
        since = len(collector.spans)
        headers = {"traceparent": header.encode()}
        assert user.http.get("/api/v1/tasks:stats", headers=headers).status_code == 200
        request = collector.wait_for(lambda span: span.label == "gateway: GET /api/v1/tasks:stats", since=since)
        assert (request.linked_trace_ids, request.parent_id) == (linked, ""), header
        assert request.trace_id != trace_id


def test_grpc_client_can_not_choose_the_trace(collector, traced_stack, user):
    """The public port links a caller's trace, as the gateway does. Only the internal port continues it."""
    trace_id, traceparent = new_trace()
    token = user.http.headers["authorization"].removeprefix("Bearer ")
    metadata = (*bearer(token), ("traceparent", traceparent))
    for target, is_continued in (("tasks_target", False), ("internal_tasks_target", True)):
        since = len(collector.spans)
        with grpc.insecure_channel(traced_stack.endpoints[target]) as channel:
            stub = task_service_pb2_grpc.TaskServiceStub(channel)
            stub.GetTaskStats(task_service_pb2.GetTaskStatsRequest(), metadata=metadata)
        span = collector.wait_for(lambda span: span.name.endswith("/GetTaskStats"), since=since)
        assert (span.trace_id == trace_id) is is_continued
        assert span.linked_trace_ids == (() if is_continued else (trace_id,))


def test_accepted_traceparent_decides(collector, traced_stack, user):
    """With GATEWAY_ACCEPT_TRACEPARENT the header names the trace, and a trace that is not sampled exports nothing."""
    sampled, traceparent = new_trace()
    dropped, unsampled = new_trace("00")
    with running_gateway(traced_stack, GATEWAY_ACCEPT_TRACEPARENT="true") as (url, _):
        for header in (unsampled, traceparent):
            headers = {**user.http.headers, "traceparent": header}
            assert httpx.post(f"{url}/api/v1/tasks", json={"title": "x"}, headers=headers).status_code == 201
        service = "task_service: taskmanager.tasks.v1.TaskService/CreateTask"
        trace = collector.wait_for_trace(sampled, "gateway: POST /api/v1/tasks", service)
        request = trace["gateway: POST /api/v1/tasks"]
    assert request.parent_id == traceparent.split("-")[2]
    assert dropped not in {span.trace_id for span in collector.spans}
    created = [span for span in collector.spans if span.attributes.get("enduser.id") == user.id]
    assert [span.trace_id for span in created if span.name.endswith("/CreateTask")] == [sampled]
