"""Pages of other origins in a real browser: one whose origin is listed, and one whose origin is not."""

import re
from pathlib import Path

import pytest

from tests.support.users import PASSWORD

pytestmark = pytest.mark.browser

SESSION = Path(__file__).with_name("session.js").read_text()
# Return the status of a request, or the name of the exception.
STATUS = """async ({ url, options }) => {
    try { return (await fetch(url, options)).status; } catch (error) { return error.name; }
}"""


@pytest.fixture
def account(stack):
    user = stack.api.new_user()
    return {"email": user.http.get("/api/v1/me").json()["email"], "password": PASSWORD}


def test_page_of_a_listed_origin_uses_the_api(recorded_page, stack, listed_origin, account):
    """It logs in, changes a task by its ETag, reads errors, uploads a file, follows its events and downloads."""
    recorded_page.page.goto(listed_origin)
    arguments = {"url": stack.url, "account": account, "csv": "title\nBuy milk\nCall mum\n"}
    result = recorded_page.page.evaluate(SESSION, arguments)
    path = result.pop("path")
    assert result == {
        "login": 200,
        "created": [201, path],
        "changed": [200, "Send the report", True],
        "stale": [412, "ETAG_MISMATCH"],
        "list": [200, ["Send the report"], "page-list"],
        "unchanged": 304,
        "missing": [404, "ROUTE_NOT_FOUND"],
        "refused": [405, "DELETE, GET, HEAD, PATCH"],
        "upload": [202, "tasks.csv"],
        "events": ["text/event-stream", 2],
        "lines": ["application/x-ndjson", 2],
        "download": ['attachment; filename="tasks.csv"', True],
    }
    assert [line for line in recorded_page.console_errors if "CORS" in line] == []


def test_browser_names_a_method_that_the_path_lacks(recorded_page, stack, listed_origin):
    recorded_page.page.goto(listed_origin)
    arguments = {"url": f"{stack.url}/api/v1/tasks/t1", "options": {"method": "PUT"}}
    assert recorded_page.page.evaluate(STATUS, arguments) == "TypeError"
    assert any("Method PUT is not allowed" in line for line in recorded_page.console_errors)


@pytest.mark.parametrize(
    ("path", "options"),
    [
        ("/healthz", {}),
        ("/openapi.json", {}),
        ("/api/v1/login", {"method": "POST", "headers": {"content-type": "application/json"}, "body": "{}"}),
        ("/api/v1/tasks", {"headers": {"authorization": "Bearer x"}}),
        ("/api/v1/tasks", {"credentials": "include"}),
    ],
    ids=["health", "document", "login", "tasks", "cookies"],
)
def test_page_of_an_unlisted_origin_reads_nothing(recorded_page, stack, unlisted_origin, path, options):
    recorded_page.page.goto(unlisted_origin)
    arguments = {"url": f"{stack.url}{path}", "options": options}
    assert recorded_page.page.evaluate(STATUS, arguments) == "TypeError"
    assert any(re.search("blocked by CORS policy", line) for line in recorded_page.console_errors)


def test_cached_document_is_readable_after_a_visit(recorded_page, stack, listed_origin):
    """A document that the browser has cached without an Origin is not given to the page: Vary holds them apart."""
    recorded_page.page.goto(f"{stack.url}/openapi.json")
    recorded_page.page.goto(listed_origin)
    arguments = {"url": f"{stack.url}/openapi.json", "options": {"cache": "force-cache"}}
    assert recorded_page.page.evaluate(STATUS, arguments) == 200


def test_page_never_sends_cookies(recorded_page, stack, listed_origin):
    """The API uses none, so that requests with credentials stay forbidden even for listed origins."""
    recorded_page.page.goto(listed_origin)
    arguments = {"url": f"{stack.url}/healthz", "options": {"credentials": "include"}}
    assert recorded_page.page.evaluate(STATUS, arguments) == "TypeError"
