"""Limits of names and files that keep the code readable."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("auth_service", "chassis", "deploy", "gateway", "import_worker", "task_service")
MAX_NAME_CHARACTERS = 60
MAX_FILE_LINES = 260


def names_in(file: Path) -> Iterator[str]:
    """Yield the names of a file's test functions."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield node.name


def test_test_names_are_short():
    """A longer sentence belongs into the docstring of the test."""
    names = [name for file in (ROOT / "tests").rglob("test_*.py") for name in names_in(file)]
    assert names
    assert [name for name in names if len(name) > MAX_NAME_CHARACTERS] == []


def test_product_files_are_short():
    """A longer file usually holds two ideas. Migrations are exempt: they are written once."""
    files = [file for package in PACKAGES for file in (ROOT / package).rglob("*.py")]
    assert files
    lines = {file: len(file.read_text().splitlines()) for file in files if "versions" not in file.parts}
    assert {str(file.relative_to(ROOT)): count for file, count in lines.items() if count > MAX_FILE_LINES} == {}
