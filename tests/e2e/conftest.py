"""The whole system as `python -m deploy.local run` starts it, and a user of its REST API."""

import pytest

from tests.support.stack import LocalStack, running_stack, server_options
from tests.support.users import User


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest):
    """One stack for all tests. Short leases let imports recover fast; history is sealed often."""
    settings = {"TASKS_LEASE_SECONDS": "2", "TASKS_BLOCK_INTERVAL_SECONDS": "0.5"}
    with running_stack(tmp_path_factory.mktemp("stack"), *server_options(request.config), **settings) as running:
        yield running


@pytest.fixture
def user(stack: LocalStack) -> User:
    return stack.api.new_user()
