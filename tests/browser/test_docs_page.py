"""The documentation page in a real browser, with a running stack."""

import secrets
from urllib.parse import urlsplit

import httpx2 as httpx
import pytest

from tests.browser.docs_page import DocsPage

pytestmark = pytest.mark.browser


@pytest.fixture
def docs(recorded_page, stack):
    """The loaded page. No test may cause a console error or a request to another server."""
    yield DocsPage(recorded_page.page, stack.url)
    # Swagger UI has no editor of its own for each format. It says so, and uses the one for texts.
    unexpected = [text for text in recorded_page.console_errors if "component: JsonSchema_" not in text]
    assert unexpected == []
    assert {urlsplit(url).netloc for url in recorded_page.requests if not url.startswith("data:")} == {
        urlsplit(stack.url).netloc
    }


@pytest.fixture
def registration():
    name = f"reader-{secrets.token_hex(4)}"
    return {"username": name, "email": f"{name}@example.com", "password": "three brown foxes"}


def test_page_lists_every_operation(docs, stack):
    paths = httpx.get(f"{stack.url}/openapi.json").json()["paths"]
    assert docs.operations() == {(method, path) for path, item in paths.items() for method in item}


def test_register_login_authorize_and_list_tasks(docs, registration):
    status, user = docs.send("post", "/api/v1/register", registration)
    assert (status, user["username"]) == (201, registration["username"])
    login = {"email": registration["email"], "password": registration["password"]}
    status, tokens = docs.send("post", "/api/v1/login", login)
    assert (status, tokens["user"]) == (200, user)
    docs.authorize(tokens["access_token"])
    status, task = docs.send("post", "/api/v1/tasks")
    assert (status, task["title"], task["owner_id"]) == (201, "Write the report", user["id"])
    assert docs.send("get", "/api/v1/tasks") == (200, {"tasks": [task], "next_page_token": ""})


def test_upload_a_file(docs, stack):
    person = stack.api.new_user()
    docs.authorize(person.http.headers["authorization"].removeprefix("Bearer "))
    operation = docs.open("post", "/api/v1/imports")
    file = {"name": "tasks.csv", "mimeType": "text/csv", "buffer": b"title\nBuy milk\n"}
    operation.locator("input[type=file]").set_input_files(file)
    status, queued = docs.execute(operation)
    assert (status, queued["file_name"]) == (202, "tasks.csv")
    assert person.wait_for_import(queued["id"])["rows_created"] == 1
