"""Small real programs to supervise."""

import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from deploy.local.supervision.data_dir_lock import claim
from deploy.local.supervision.orphans import Run
from deploy.local.supervision.process import ProcessSpec

Program = Callable[..., ProcessSpec]


@pytest.fixture
async def run(tmp_path: Path) -> AsyncIterator[Run]:
    async with claim(tmp_path / "data") as run:
        yield run


@pytest.fixture
def program() -> Program:
    """Makes a process out of Python source."""

    def make(source: str, *, name: str = "program", **more) -> ProcessSpec:
        return ProcessSpec(name=name, argv=(sys.executable, "-c", source), **more)

    return make
