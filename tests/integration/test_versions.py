"""--version of each program."""

import asyncio
import sys
import tomllib
from pathlib import Path

import pytest


@pytest.mark.parametrize("module", ["auth_service", "task_service", "import_worker", "gateway"])
async def test_version_is_printed_without_settings(module):
    """The version is the product's in pyproject.toml."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, "--version", stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert process.returncode == 0
    assert output.decode() == f"{module} {project['version']}\n"
