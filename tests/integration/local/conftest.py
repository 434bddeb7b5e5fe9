"""Small real programs to supervise."""

import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from deploy.local.claim import claim
from deploy.local.leftovers import Run
from deploy.local.process import ProcessSpec

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
