"""Distribution of tests over the worker processes of pytest-xdist."""

import pytest
from xdist.scheduler import LoadScopeScheduling

SHARED_FIXTURES = ("tests/e2e/", "tests/faults/", "tests/integration/gateway/")
"""Folders whose tests share a stack or servers. One worker runs the whole folder, so that these start once."""

SLOWEST = ("tests/faults/", "tests/integration/local/", "tests/e2e/", "tests/integration/import_worker/")
"""Folders that start first, so that no worker runs a slow module alone at the end."""


class ModuleScheduling(LoadScopeScheduling):  # type: ignore[misc]  # pytest-xdist has no types
    """Scheduler that gives a worker whole modules, or whole folders that share fixtures."""

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.partition("::")[0]
        return next((folder for folder in SHARED_FIXTURES if module.startswith(folder)), module)


def put_slowest_first(items: list[pytest.Item]) -> None:
    """Sort the tests of slow folders to the front; keep the order otherwise."""
    items.sort(key=lambda item: [not item.nodeid.startswith(folder) for folder in SLOWEST])
