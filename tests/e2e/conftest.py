"""The whole system as `python -m deploy.local run` starts it, and a user of its REST API."""

from pathlib import Path

import pytest

from tests.support.cli_program import Program
from tests.support.stack import LocalStack, running_stack, server_options
from tests.support.users import PASSWORD, User


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest):
    """One stack for all tests. Short leases let imports recover fast; history is sealed often."""
    settings = {"TASKS_LEASE_SECONDS": "2", "TASKS_BLOCK_INTERVAL_SECONDS": "0.5"}
    with running_stack(tmp_path_factory.mktemp("stack"), *server_options(request.config), **settings) as running:
        yield running


@pytest.fixture
def user(stack: LocalStack) -> User:
    return stack.api.new_user()


@pytest.fixture
def anonymous(stack: LocalStack, tmp_path: Path) -> Program:
    return Program(stack.url, tmp_path)


@pytest.fixture
def program(stack: LocalStack, anonymous: Program) -> Program:
    """Return the program with the session of a new user."""
    email = stack.api.new_user().http.get("/api/v1/me").json()["email"]
    ended = anonymous("login", "--email", email, "--password-stdin", stdin=f"{PASSWORD}\n")
    assert ended.returncode == 0, ended.stderr
    return anonymous
