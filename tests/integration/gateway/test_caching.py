"""Cache-Control: no-store, except for reads that a client revalidates with their entity tag."""

import asyncio

import grpc
import pytest
from google.api import httpbody_pb2
from taskmanager.auth.v1 import auth_service_pb2, service_account_service_pb2, user_pb2, user_service_pb2
from taskmanager.imports.v1 import import_pb2
from taskmanager.tasks.v1 import task_pb2, task_service_pb2

from gateway.bootstrap import AUTH_SERVICES, TASKS_SERVICES
from gateway.transcoding.contract import read_rpcs
from tests.integration.gateway.fake_services import receive_upload

SECRETS = {"access_token", "refresh_token", "reset_code", "credential"}


def cache_control_of(response):
    """Return the single Cache-Control of a response, and check that X-Content-Type-Options is set."""
    assert response.headers.get_list("x-content-type-options") == ["nosniff"]
    (value,) = response.headers.get_list("cache-control")
    return value


@pytest.mark.parametrize(
    ("rpc", "path", "message"),
    [
        ("Login", "/api/v1/login", auth_service_pb2.LoginResponse(access_token="a", refresh_token="r")),
        ("Login", "/api/login", auth_service_pb2.LoginResponse(access_token="a", refresh_token="r")),
        ("RefreshToken", "/api/v1/token:refresh", auth_service_pb2.LoginResponse(access_token="a", refresh_token="r")),
        ("ChangePassword", "/api/v1/me:changePassword", auth_service_pb2.LoginResponse(access_token="a")),
        (
            "ResetUserPassword",
            "/api/v1/users/u1:resetPassword",
            user_service_pb2.ResetUserPasswordResponse(reset_code="c"),
        ),
        (
            "CreateServiceAccount",
            "/api/v1/service-accounts",
            service_account_service_pb2.IssuedServiceAccount(credential="s.x"),
        ),
        (
            "RotateServiceAccount",
            "/api/v1/service-accounts/s1:rotate",
            service_account_service_pb2.IssuedServiceAccount(credential="s.x"),
        ),
    ],
)
async def test_secret_responses_are_no_store(rest, services, rpc, path, message):
    """A response with a token or another secret must not be cached, and has no ETag."""
    services.respond_with(rpc, message)
    response = await rest.post(path, json={})
    assert response.is_success
    assert cache_control_of(response) == "no-store"
    assert "etag" not in response.headers


def test_no_get_response_has_a_secret():
    rpcs = read_rpcs((*AUTH_SERVICES, *TASKS_SERVICES))
    secret = {rpc.name for rpc in rpcs if SECRETS & {field.name for field in rpc.response.fields}}
    assert {"Login", "RefreshToken", "ResetUserPassword", "RotateServiceAccount"} < secret
    assert {rpc.name for rpc in rpcs if rpc.name in secret and rpc.is_safe} == set()


async def test_private_reads_are_revalidated(rest, services):
    """Only the client's own cache may store what a user reads, and it revalidates it each time."""
    services.respond_with("GetTask", task_pb2.Task(id="t1", etag="7"))
    services.respond_with("ListTasks", task_service_pb2.ListTasksResponse())
    services.respond_with("GetCurrentUser", user_pb2.User(id="u1"))
    for path in ("/api/v1/tasks/t1", "/api/v1/tasks", "/api/v1/me"):
        first = await rest.get(path)
        revalidated = await rest.get(path, headers={"if-none-match": first.headers["etag"]})
        assert (first.status_code, revalidated.status_code, revalidated.content) == (200, 304, b"")
        assert (
            cache_control_of(first)
            == cache_control_of(revalidated)
            == cache_control_of(await rest.head(path))
            == "private, no-cache"
        )


async def test_public_reads_are_cacheable(rest, services):
    """Any cache may store what needs no token, and revalidates it each time."""
    services.respond_with("GetJwks", auth_service_pb2.Jwks(keys=[auth_service_pb2.Jwk(kid="k")]))
    for path in ("/.well-known/jwks.json", "/openapi.json", "/docs"):
        first = await rest.get(path)
        revalidated = await rest.get(path, headers={"if-none-match": first.headers["etag"]})
        assert (first.status_code, revalidated.status_code) == (200, 304)
        assert cache_control_of(first) == cache_control_of(revalidated) == "no-cache"


async def test_write_response_has_etag_and_no_store(rest, services):
    services.respond_with("UpdateTask", task_pb2.Task(id="t1", etag="8"))
    response = await rest.patch("/api/v1/tasks/t1", json={"title": "x"})
    assert (response.headers["etag"], cache_control_of(response)) == ('"8"', "no-store")


async def test_other_responses_are_no_store(rest, services):
    """Errors, uploads, downloads, streams and health checks must not be cached."""

    async def watch(_request, _context):
        yield import_pb2.Import(id="i1")

    async def export(_request, _context):
        yield httpbody_pb2.HttpBody(content_type="text/csv", data=b"title\n")

    services.fail_with("GetTask", grpc.StatusCode.NOT_FOUND, "TASK_NOT_FOUND")
    services.handlers |= {"UploadImport": receive_upload, "WatchImport": watch, "ExportTasks": export}
    upload = {"content": b"title\nx\n", "headers": {"content-type": "text/csv"}}
    responses = [
        await rest.get("/api/v1/tasks/t1"),
        await rest.get("/nowhere"),
        await rest.post("/api/v1/tasks", content=b"{"),
        await rest.post("/api/v1/imports", **upload),
        await rest.get("/api/v1/imports/i1:watch"),
        await rest.get("/api/v1/tasks:export"),
        await rest.get("/healthz"),
    ]
    assert [response.status_code for response in responses] == [404, 404, 400, 202, 200, 200, 200]
    assert {cache_control_of(response) for response in responses} == {"no-store"}


async def test_protocol_errors_are_no_store(address):
    reader, writer = await asyncio.open_connection(address.host, address.port)
    writer.write(b"nonsense\r\n\r\n")
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    writer.close()
    assert b"\r\ncache-control: no-store\r\nx-content-type-options: nosniff\r\n" in head
