"""The page docs/grpc.md: its sections, and a shell in a folder with the files that it tells readers to save."""

import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.support.documented_commands import Shell, fenced, with_addresses_of
from tests.support.stack import LocalStack

ROOT = Path(__file__).parents[2]
FILES = {
    "python": "client.py",
    "js": "client.mjs",
    "yaml": "buf.yaml",
    "protobuf": "proto/reports/v1/report.proto",
}
"""File name of the page's one block of each language."""


def page_of(stack: LocalStack) -> str:
    """Return the page with the addresses of the stack."""
    return with_addresses_of(stack, (ROOT / "docs" / "grpc.md").read_text())


def sections_of(page: str) -> Mapping[str, str]:
    """Return the text of each section by its heading."""
    _, *parts = re.split(r"^## (.+)$", page, flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def save_files(page: str, folder: Path) -> None:
    """Write the programs and files of the page."""
    for language, name in FILES.items():
        (content,) = fenced(language, page)
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)


@contextmanager
def shell_of_a_reader(page: str, folder: Path, *path: Path) -> Iterator[Shell]:
    """Open a shell in a folder with the contract and the page's files. It finds the programs of `path` first."""
    save_files(page, folder)
    (folder / "protos").symlink_to(ROOT / "protos")
    # The repository's own packages are not on the path of Python.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["PATH"] = os.pathsep.join([*map(str, path), str(Path(sys.executable).parent), os.environ["PATH"]])
    with Shell(folder, environment) as shell:
        yield shell
