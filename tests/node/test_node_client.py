"""docs/grpc.md: its Node program runs with the locked packages."""

import shutil
from pathlib import Path

import pytest

from tests.support.documented_commands import steps
from tests.support.grpc_page import page_of, sections_of, shell_of_a_reader
from tests.support.stack import running_stack, server_options

PACKAGES = Path(__file__).parent / "node_modules"
SECTIONS = ("The contract in your repository", "buf curl", "Node")


@pytest.fixture
def packages() -> Path:
    """Folder of the npm packages. Without it the test is skipped before the stack starts."""
    if shutil.which("node") is None:
        pytest.skip("Node is not installed")
    if not PACKAGES.exists():
        pytest.skip("the npm packages are not installed: run `make test-api`")
    return PACKAGES


@pytest.mark.api
def test_node_program_prints_what_the_page_shows(packages, tmp_path, request):
    (tmp_path / "reader").mkdir()
    (tmp_path / "reader" / "node_modules").symlink_to(packages)
    with running_stack(tmp_path / "data", *server_options(request.config)) as stack:
        page = page_of(stack)
        with shell_of_a_reader(page, tmp_path / "reader") as shell:
            for heading in SECTIONS:
                for step in steps(sections_of(page)[heading]):
                    shell.check(step)
