"""Who may keep an answer: nobody, unless it is one that a client asks for again with its entity tag."""

import asyncio

import grpc
import pytest
from google.api import httpbody_pb2
from taskmanager.auth.v1 import auth_service_pb2, service_account_service_pb2, user_pb2, user_service_pb2
from taskmanager.imports.v1 import import_pb2
from taskmanager.tasks.v1 import task_pb2, task_service_pb2

from gateway.bootstrap import AUTH_SERVICES, TASKS_SERVICES
from gateway.transcoding.contract import read_rpcs
from tests.integration.gateway.services import collect

SECRETS = {"access_token", "refresh_token", "reset_code", "credential"}


def caching(answer):
    """The one Cache-Control of an answer; X-Content-Type-Options is there whatever it is."""
    assert answer.headers.get_list("x-content-type-options") == ["nosniff"]
    (value,) = answer.headers.get_list("cache-control")
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
async def test_what_holds_a_token_or_a_secret_is_kept_nowhere(rest, services, rpc, path, message):
    services.answer(rpc, message)
    answer = await rest.post(path, json={})
    assert answer.is_success
    assert caching(answer) == "no-store"
    assert "etag" not in answer.headers


def test_no_answer_that_holds_a_token_or_a_secret_is_read_by_get():
    rpcs = read_rpcs((*AUTH_SERVICES, *TASKS_SERVICES))
    secret = {rpc.name for rpc in rpcs if SECRETS & {field.name for field in rpc.response.fields}}
    assert {"Login", "RefreshToken", "ResetUserPassword", "RotateServiceAccount"} < secret
    assert {rpc.name for rpc in rpcs if rpc.name in secret and rpc.is_idempotent} == set()


async def test_what_a_person_reads_is_theirs_alone_and_asked_for_again_each_time(rest, services):
    services.answer("GetTask", task_pb2.Task(id="t1", etag="7"))
    services.answer("ListTasks", task_service_pb2.ListTasksResponse())
    services.answer("GetCurrentUser", user_pb2.User(id="u1"))
    for path in ("/api/v1/tasks/t1", "/api/v1/tasks", "/api/v1/me"):
        first = await rest.get(path)
        again = await rest.get(path, headers={"if-none-match": first.headers["etag"]})
        assert (first.status_code, again.status_code, again.content) == (200, 304, b"")
        assert caching(first) == caching(again) == caching(await rest.head(path)) == "private, no-cache"


async def test_what_everybody_may_read_anybody_may_keep_and_ask_for_again(rest, services):
    services.answer("GetJwks", auth_service_pb2.Jwks(keys=[auth_service_pb2.Jwk(kid="k")]))
    for path in ("/.well-known/jwks.json", "/openapi.json", "/docs"):
        first = await rest.get(path)
        again = await rest.get(path, headers={"if-none-match": first.headers["etag"]})
        assert (first.status_code, again.status_code) == (200, 304)
        assert caching(first) == caching(again) == "no-cache"


async def test_the_answer_to_a_change_has_its_tag_and_is_kept_nowhere(rest, services):
    services.answer("UpdateTask", task_pb2.Task(id="t1", etag="8"))
    answer = await rest.patch("/api/v1/tasks/t1", json={"title": "x"})
    assert (answer.headers["etag"], caching(answer)) == ('"8"', "no-store")


async def test_errors_uploads_files_streams_and_probes_are_kept_nowhere(rest, services):
    async def watch(_request, _context):
        yield import_pb2.Import(id="i1")

    async def export(_request, _context):
        yield httpbody_pb2.HttpBody(content_type="text/csv", data=b"title\n")

    services.refuse("GetTask", grpc.StatusCode.NOT_FOUND, "TASK_NOT_FOUND")
    services.answers |= {"UploadImport": collect, "WatchImport": watch, "ExportTasks": export}
    upload = {"content": b"title\nx\n", "headers": {"content-type": "text/csv"}}
    answers = [
        await rest.get("/api/v1/tasks/t1"),
        await rest.get("/nowhere"),
        await rest.post("/api/v1/tasks", content=b"{"),
        await rest.post("/api/v1/imports", **upload),
        await rest.get("/api/v1/imports/i1:watch"),
        await rest.get("/api/v1/tasks:export"),
        await rest.get("/healthz"),
    ]
    assert [answer.status_code for answer in answers] == [404, 404, 400, 202, 200, 200, 200]
    assert {caching(answer) for answer in answers} == {"no-store"}


async def test_what_is_refused_before_it_is_read_is_kept_nowhere_either(address):
    reader, writer = await asyncio.open_connection(address.host, address.port)
    writer.write(b"nonsense\r\n\r\n")
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    writer.close()
    assert b"\r\ncache-control: no-store\r\nx-content-type-options: nosniff\r\n" in head
