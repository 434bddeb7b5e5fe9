"""CORS: pages of listed origins can read all responses, and other pages none."""

import asyncio
import re
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import httpx2
import pytest
from google.api import httpbody_pb2
from structlog.testing import capture_logs
from taskmanager.auth.v1 import auth_service_pb2
from taskmanager.imports.v1 import import_pb2
from taskmanager.tasks.v1 import task_pb2

import gateway.transport
from gateway.server import run_server
from gateway.transport.cors.policy import EXPOSED_HEADERS, REQUEST_HEADERS
from tests.integration.gateway.conftest import settings
from tests.integration.gateway.fake_services import receive_upload
from tests.integration.gateway.raw_http import connected

APP = "https://app.example.com"
OTHER = "http://localhost:3000"
# Any of these must be treated as no listed origin.
UNLISTED = [
    "null",
    "https://evil.example",
    "https://app.example.com.evil.example",
    "https://evilapp.example.com",
    "https://sub.app.example.com",
    "http://app.example.com",
    "https://app.example.com:8443",
    "https://APP.example.com",
    "https://app.example.com/",
    f"{APP}, {OTHER}",
    f"{APP} {OTHER}",
    "",
]
# The page can always read these (Fetch section 2.2.2), or they are for the browser and for caches only.
NOT_FOR_PAGES = {
    "cache-control",
    "connection",
    "content-length",
    "content-security-policy",
    "content-type",
    "cross-origin-opener-policy",
    "referrer-policy",
    "x-accel-buffering",
    "x-content-type-options",
}


@asynccontextmanager
async def cors_gateway(services, origins, **changes):
    async with run_server(settings(services, cors_origins=origins, drain_seconds=1, **changes)) as address:
        yield address


@pytest.fixture(scope="session")
async def cors_address(running_services):
    limits = {"max_body_bytes": 10_000, "keep_alive_seconds": 0.2, "public_calls_per_minute": 3}
    async with cors_gateway(running_services, f"{APP}, {OTHER}", **limits) as address:
        yield address


@pytest.fixture
async def client(cors_address, services):
    services.respond_with("GetTask", task_pb2.Task(id="t1", etag="7"))
    async with httpx2.AsyncClient(base_url=f"http://{cors_address}") as client:
        yield client


def preflight(method, origin=APP, headers="authorization,if-match"):
    return {"origin": origin, "access-control-request-method": method, "access-control-request-headers": headers}


def cors_headers_of(response):
    return {name for name in response.headers if name.startswith("access-control-")}


def assert_readable(response, origin=APP):
    """Check that a page of the origin may read the response, exactly once each."""
    assert response.headers.get_list("access-control-allow-origin") == [origin]
    assert response.headers.get_list("access-control-expose-headers") == [", ".join(EXPOSED_HEADERS)]
    assert response.headers.get_list("vary") == ["Origin"]
    assert "access-control-allow-credentials" not in response.headers


async def test_no_cors_by_default(rest, services):
    """Without the setting there is no header, and OPTIONS is a method like any other."""
    services.respond_with("GetTask", task_pb2.Task(id="t1", etag="7"))
    response = await rest.get("/api/v1/tasks/t1", headers={"origin": APP})
    asked = await rest.options("/api/v1/tasks/t1", headers=preflight("PATCH"))
    assert (response.status_code, asked.status_code) == (200, 405)
    assert cors_headers_of(response) == cors_headers_of(asked) == set()
    assert "vary" not in response.headers


async def test_preflight_allows_the_methods_of_the_path(client, services):
    response = await client.options("/api/v1/tasks/t1", headers=preflight("PATCH"))
    assert (response.status_code, response.content) == (204, b"")
    assert response.headers["access-control-allow-methods"] == "DELETE, GET, HEAD, PATCH"
    assert response.headers["access-control-allow-headers"] == ", ".join(REQUEST_HEADERS)
    assert response.headers["access-control-max-age"] == "7200"
    assert response.headers["x-request-id"]
    assert_readable(response)
    other = await client.options("/api/v1/tasks", headers=preflight("POST", OTHER))
    assert other.headers["access-control-allow-methods"] == "GET, HEAD, POST"
    assert_readable(other, OTHER)
    assert services.calls == 0


async def test_preflights_are_not_rate_limited(client, services):
    """A preflight costs as little as any cheap request, and does not use up the logins of its address."""
    services.respond_with("Login", auth_service_pb2.LoginResponse())
    responses = [await client.options("/api/v1/login", headers=preflight("POST")) for _ in range(10)]
    assert {response.status_code for response in responses} == {204}


@pytest.mark.parametrize("origin", UNLISTED)
async def test_preflight_of_an_unlisted_origin_is_403(client, origin):
    """The error names the setting, for the operator who looks into the tools of a browser."""
    response = await client.options("/api/v1/tasks/t1", headers=preflight("PATCH", origin))
    error = response.json()["error"]
    assert (response.status_code, error["details"][0]["reason"]) == (403, "ORIGIN_NOT_ALLOWED")
    assert "GATEWAY_CORS_ORIGINS" in error["message"]
    assert cors_headers_of(response) == set()
    assert response.headers.get_list("vary") == ["Origin"]


@pytest.mark.parametrize("path", ["/nowhere", "/api/v1/tasks/%ff"])
async def test_preflight_of_an_unknown_path_allows_all_methods(client, path):
    """The request itself is the error, which the page can read; a failed preflight would hide it."""
    asked = await client.options(path, headers=preflight("PATCH"))
    assert (asked.status_code, asked.headers["access-control-allow-methods"]) == (
        204,
        "DELETE, GET, HEAD, PATCH, POST, PUT",
    )
    response = await client.patch(path, headers={"origin": APP}, json={})
    assert response.status_code in {404, 400}
    assert_readable(response)


async def test_preflight_of_another_method_names_those_of_the_path(client):
    """The browser compares the method and says which one is not allowed."""
    response = await client.options("/api/v1/tasks/t1", headers=preflight("PUT"))
    assert (response.status_code, response.headers["access-control-allow-methods"]) == (
        204,
        "DELETE, GET, HEAD, PATCH",
    )


async def test_options_that_is_no_preflight_is_405(client):
    for headers in ({"origin": APP}, {"access-control-request-method": "PATCH"}, {}):
        response = await client.options("/api/v1/tasks/t1", headers=headers)
        assert (response.status_code, response.headers["allow"]) == (405, "DELETE, GET, HEAD, PATCH")


@pytest.mark.parametrize("origin", UNLISTED)
async def test_unlisted_origin_gets_the_response_without_headers(client, origin):
    """Only Vary differs, so that no cache gives this response to a page of a listed origin."""
    response = await client.get("/api/v1/tasks/t1", headers={"origin": origin})
    assert (response.status_code, response.json()["id"]) == (200, "t1")
    assert cors_headers_of(response) == set()
    assert response.headers.get_list("vary") == ["Origin"]


async def test_request_without_origin_or_with_two(client):
    """A program sends no Origin, and no browser sends two."""
    two = [("origin", APP), ("origin", APP)]
    for headers in ([], two):
        response = await client.get("/api/v1/tasks/t1", headers=headers)
        assert (response.status_code, cors_headers_of(response)) == (200, set())
        assert response.headers.get_list("vary") == ["Origin"]


async def test_every_response_of_a_listed_origin_is_readable(client, services):
    """Errors, streams, downloads, uploads, documents and a 304 have the headers."""

    async def watch(_request, _context):
        yield import_pb2.Import(id="i1")

    async def export(_request, _context):
        yield httpbody_pb2.HttpBody(content_type="text/csv", data=b"title\n")

    services.handlers |= {"UploadImport": receive_upload, "WatchImport": watch, "ExportTasks": export}
    services.fail_with("CreateTask", grpc.StatusCode.UNAVAILABLE, "OVERLOADED", wait=1)
    services.fail_with("GetCurrentUser", grpc.StatusCode.UNAUTHENTICATED, "TOKEN_MISSING")
    services.respond_with("Login", auth_service_pb2.LoginResponse())
    client.headers["origin"] = APP
    ndjson = {"accept": "application/x-ndjson"}
    responses = [
        await client.get("/api/v1/tasks/t1"),
        await client.head("/api/v1/tasks/t1"),
        await client.get("/api/v1/tasks/t1", headers={"if-none-match": '"7"'}),
        await client.get("/openapi.json"),
        await client.get("/api/v1/imports/i1:watch"),
        await client.get("/api/v1/imports/i1:watch", headers=ndjson),
        await client.get("/api/v1/tasks:export"),
        await client.post("/api/v1/imports", content=b"title\nx\n", headers={"content-type": "text/csv"}),
        await client.post("/api/v1/tasks", content=b"{"),
        await client.get("/api/v1/me"),
        await client.get("/nowhere"),
        await client.put("/api/v1/tasks/t1"),
        await client.post("/api/v1/tasks", content=b" " * 20_000),
        await client.post("/api/v1/tasks", content=b"x", headers={"content-type": "text/plain"}),
        await client.post("/api/v1/tasks", json={"title": "x"}),
        *[await client.post("/api/v1/login", json={}) for _ in range(4)][3:],
    ]
    expected = [200, 200, 304, 200, 200, 200, 200, 202, 400, 401, 404, 405, 413, 415, 503, 429]
    assert [response.status_code for response in responses] == expected
    for response in responses:
        assert_readable(response)
    sent = {name for response in responses for name in response.headers}
    assert {"etag", "location", "retry-after", "content-disposition", "allow", "www-authenticate"} <= sent


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET / HTTP/1.1\r\nOrigin: %b\r\nHost: a b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nOrigin: %b\r\nHost: a\r\nBad header\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nOrigin: %b\r\nHost: a\r\nX: " + b"x" * 70_000 + b"\r\n\r\n", 431),
        (b"POST /api/v1/tasks HTTP/1.1\r\nOrigin: %b\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
    ],
    ids=["host", "header line", "too large", "body"],
)
async def test_malformed_http_is_readable_too(cors_address, request_bytes, status):
    """The protocol adds the headers to its own errors, if the Origin came well before the error."""
    for origin, is_listed in ((APP, True), (UNLISTED[1], False)):
        async with connected(cors_address) as (reader, writer):
            writer.write(request_bytes.replace(b"%b", origin.encode()))
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
        assert head.startswith(b"HTTP/1.1 %d " % status)
        assert (b"\r\naccess-control-allow-origin: %b\r\n" % APP.encode() in head) is is_listed
        assert head.count(b"\r\nvary: Origin\r\n") == 1


async def test_malformed_first_line_is_answered(cors_address):
    async with connected(cors_address) as (reader, writer):
        writer.write(b"nonsense\r\n\r\n")
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"access-control" not in head


async def test_any_origin(services):
    """With * the headers are the same for everybody, never with credentials, and need no Vary."""
    services.respond_with("GetTask", task_pb2.Task(id="t1", etag="7"))
    async with (
        cors_gateway(services, "*", max_connections_per_address=1) as address,
        httpx2.AsyncClient(base_url=f"http://{address}") as client,
    ):
        responses = [
            await client.get("/api/v1/tasks/t1", headers={"origin": "https://any.example"}),
            await client.get("/api/v1/tasks/t1", headers={"origin": "null"}),
            await client.get("/api/v1/tasks/t1"),
            await client.options("/api/v1/tasks/t1", headers=preflight("PATCH", "https://any.example")),
        ]
        async with connected(address) as (reader, _):
            refusal = await asyncio.wait_for(reader.read(), 20)
    assert [response.status_code for response in responses] == [200, 200, 200, 204]
    for response in responses:
        assert response.headers.get_list("access-control-allow-origin") == ["*"]
        assert "access-control-allow-credentials" not in response.headers
        assert "vary" not in response.headers
    assert refusal.startswith(b"HTTP/1.1 429 ")
    assert b"\r\naccess-control-allow-origin: *\r\n" in refusal


async def test_preflight_is_in_the_access_log(client):
    with capture_logs() as logs:
        await client.options("/api/v1/tasks/t1", headers=preflight("PATCH"))
        await client.options("/api/v1/tasks/t1", headers=preflight("PATCH", "https://evil.example"))
    entries = [(entry["method"], entry["status"]) for entry in logs if entry["event"] == "request"]
    assert entries == [("OPTIONS", 204), ("OPTIONS", 403)]


def header_names(pattern):
    package = Path(gateway.transport.__file__).parent
    return {name for path in package.rglob("*.py") for name in re.findall(pattern, path.read_text())}


def test_lists_have_every_header_of_the_gateway():
    """A request header that the gateway reads is allowed, and a response header that it sends is exposed."""
    # Names in two-element tuples, such as (b"etag", ...), are headers of responses.
    sent = header_names(r'\(\s*b"([a-z][a-z-]+)",') - NOT_FOR_PAGES - {"vary"}
    assert {"etag", "location", "retry-after", "allow"} <= sent
    assert {name for name in sent if not name.startswith("access-control-")} <= set(EXPOSED_HEADERS)
    read = header_names(r'(?:header|_values)\((?:http_request, )?b"([a-z-]+)"\)') - {"content-length"}
    assert {"if-none-match", "if-match", "content-type"} <= read
    assert read <= set(REQUEST_HEADERS)
