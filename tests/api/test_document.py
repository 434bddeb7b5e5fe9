"""The OpenAPI document is valid, and the real system answers as the document says."""

from pathlib import Path

import httpx2 as httpx
import pytest

from tests.api.conftest import DOCUMENT, FOLDER, Programs
from tests.support.stack import LocalStack

pytestmark = pytest.mark.api

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
# Operations that end the session of the test, its account, or the credentials of the running services. Schemathesis
# takes ids and codes from responses, such as the reset code of its own account.
DESTRUCTIVE = (
    "Logout",
    "ChangePassword",
    "DeleteCurrentUser",
    "RevokeSession",
    "UpdateUser",
    "ResetUserPassword",
    "RotateServiceAccount",
    "DisableServiceAccount",
)
# Streams: OpenAPI 3.1 cannot describe the messages, and the stream of events has no end.
STREAMS = ("WatchEvents", "WatchImport")


def test_document_is_valid_openapi(python_tools: Programs):
    assert python_tools.run("openapi-spec-validator", DOCUMENT, folder=DOCUMENT.parent).endswith("OK\n")


def test_linter_finds_no_error_and_no_warning(node_tools: Programs):
    output = node_tools.run("redocly", "lint", DOCUMENT, "--max-problems", "1000", folder=FOLDER)
    assert "Your API description is valid" in output
    assert "warning" not in output.replace("Deprecation warning: Node.js", "")


@pytest.mark.parametrize("role", ["user", "admin"])
@pytest.mark.timeout(300)
def test_responses_conform_to_the_document(python_tools: Programs, stack: LocalStack, tmp_path: Path, role):
    """Generated requests, valid and invalid, cause no 5xx, and only responses that the document describes."""
    if role == "admin":
        admin = stack.endpoints["admin"]
        http = stack.api.login(admin["email"], admin["password"])
    else:
        http = stack.api.new_user().http
    output = python_tools.run(
        "schemathesis",
        *("run", DOCUMENT, "--url", stack.url, "--header", f"Authorization: {http.headers['authorization']}"),
        *("--checks", ",".join(CHECKS), "--phases", "examples,coverage,fuzzing", "--max-examples", "20"),
        *("--generation-deterministic", "--no-shrink", "--no-color", "--request-timeout", "30"),
        *(f"--exclude-operation-id={name}" for name in (*DESTRUCTIVE, *STREAMS)),
        "--exclude-deprecated",
        "--continue-on-failure",
        folder=tmp_path,
    )
    assert " passed" in output
    # With an ended session every response would be 401, which the document describes.
    assert http.get("/api/v1/me").status_code == httpx.codes.OK, output
