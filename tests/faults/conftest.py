"""One system for all faults: it must survive each of them."""

import pytest

from tests.faults.system import system_under_test


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory):
    with system_under_test(tmp_path_factory.mktemp("faults")) as running:
        yield running
