"""One system for all faults: it must survive each of them."""

import pytest

from tests.faults.system import faulty_system


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory):
    with faulty_system(tmp_path_factory.mktemp("faults")) as running:
        yield running
