"""Statuses and headers of the operations."""

import pytest

from gateway.bootstrap import AUTH_SERVICES, TASKS_SERVICES, build_openapi_document
from gateway.transcoding.contract import read_rpcs


@pytest.fixture(scope="module")
def api():
    return build_openapi_document(read_rpcs((*AUTH_SERVICES, *TASKS_SERVICES)))


def statuses(api, method, path):
    return " ".join(api["paths"][path][method]["responses"])


def headers(api, method, path):
    responses = api["paths"][path][method]["responses"]
    return set(next(response for status, response in responses.items() if status.startswith("2"))["headers"])


def test_errors_follow_the_options_of_the_rpc(api):
    """The access option, the errors option and the header fields decide which statuses an operation lists."""
    assert statuses(api, "post", "/api/v1/login") == "200 400 401 413 429 503 4XX 5XX"
    assert statuses(api, "post", "/api/v1/register") == "201 400 403 409 413 429 503 4XX 5XX"
    assert statuses(api, "get", "/.well-known/jwks.json") == "200 304 400 429 503 4XX 5XX"
    assert statuses(api, "get", "/api/v1/tasks/{id}") == "200 304 400 401 403 404 429 503 4XX 5XX"
    assert statuses(api, "patch", "/api/v1/tasks/{id}") == "200 400 401 403 404 409 412 413 429 503 4XX 5XX"
    assert statuses(api, "get", "/api/v1/imports/{id}:watch") == "200 400 401 403 404 429 503 4XX 5XX"


def test_every_error_has_the_same_body(api):
    responses = api["components"]["responses"].items()
    bodies = [response["content"] for name, response in responses if name != "NotModified"]
    assert bodies == [{"application/json": {"schema": {"$ref": "#/components/schemas/ErrorResponse"}}}] * len(bodies)
    referenced = {
        response["$ref"].rpartition("/")[2]
        for item in api["paths"].values()
        for operation in item.values()
        for response in operation["responses"].values()
        if "$ref" in response
    }
    assert referenced == {name for name, _ in responses}


def test_headers_are_listed_where_the_gateway_sends_them(api):
    assert headers(api, "get", "/api/v1/tasks") == {"X-Request-Id", "ETag"}
    assert headers(api, "post", "/api/v1/tasks") == {"X-Request-Id", "ETag", "Location", "Idempotency-Replayed"}
    assert headers(api, "post", "/api/v1/imports") == {"X-Request-Id", "Location", "Idempotency-Replayed"}
    assert headers(api, "post", "/api/v1/login") == {"X-Request-Id"}
    assert headers(api, "get", "/api/v1/tasks:export") == {"X-Request-Id", "Content-Disposition"}
