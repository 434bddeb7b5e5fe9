"""The whole system as `python -m deploy.local run` starts it, and people who use its REST API."""

import pytest

from tests.people import Person
from tests.stacks import LocalStack, running_stack, servers_of


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest):
    """One stack for all tests that leave it as they found it. Leases are short, so that faults heal soon, seals too."""
    soon = {"TASKS_LEASE_SECONDS": "2", "TASKS_BLOCK_INTERVAL_SECONDS": "0.5"}
    with running_stack(tmp_path_factory.mktemp("stack"), *servers_of(request.config), **soon) as running:
        yield running


@pytest.fixture
def person(stack: LocalStack) -> Person:
    return stack.api.person()
