"""Limits of names and files that keep the code readable."""

import ast
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("auth_service", "chassis", "cli", "deploy", "gateway", "import_worker", "task_service")
MAX_NAME_CHARACTERS = 60
MAX_FILE_LINES = 260
QUESTION_WORD = re.compile(r"(?:What|Whether|Whose|Whoever|Who|How)\b")


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


def texts_in(file: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of each docstring, also of those below a constant, and of each comment."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.lineno, node.value.value.strip()
    with file.open("rb") as source:
        for token in tokenize.tokenize(source.readline):
            if token.type == tokenize.COMMENT and token.string.startswith("# "):
                yield token.start[0], token.string.removeprefix("# ")


def test_no_text_starts_with_a_question_word():
    """A docstring or comment starts with the noun or the verb that it is about, and not with What, Who or How."""
    files = [file for folder in (*PACKAGES, "tests") for file in (ROOT / folder).rglob("*.py")]
    assert files
    assert [
        f"{file.relative_to(ROOT)}:{line}: {text.splitlines()[0]}"
        for file in files
        for line, text in texts_in(file)
        if QUESTION_WORD.match(text)
    ] == []
