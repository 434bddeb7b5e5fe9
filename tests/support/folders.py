"""Folders for data that tests throw away."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

MEMORY = Path("/dev/shm")  # noqa: S108 - its free space is checked, and the folder below it is private
MIN_FREE_BYTES = 4 * 2**30


@contextmanager
def scratch_folder(factory: pytest.TempPathFactory, name: str) -> Iterator[Path]:
    """Yield a folder in memory where there is enough of it, else on disk: creating databases is mostly file work."""
    if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= MIN_FREE_BYTES:
        with tempfile.TemporaryDirectory(prefix=f"{name}-", dir=MEMORY) as folder:
            yield Path(folder)
    else:
        yield factory.mktemp(name)
