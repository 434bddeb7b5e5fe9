"""Rules for the pages in docs/."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PATH = re.compile(
    r"`((?:protos|chassis|cli|auth_service|task_service|import_worker|gateway|deploy|tests)/[\w./-]+\.\w+)`"
)
PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    *(f"docs/{page.name}" for page in sorted((ROOT / "docs").glob("*.md"))),
]


@pytest.mark.parametrize("page", PAGES)
def test_pages_name_existing_files(page):
    """Every file that a page names exists."""
    paths = set(PATH.findall((ROOT / page).read_text()))
    assert [path for path in sorted(paths) if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", PAGES)
def test_lines_of_pages_are_short(page):
    """A line has at most 150 characters, except in tables, code and images."""
    text = re.sub(r"^```.*?^```", "", (ROOT / page).read_text(), flags=re.MULTILINE | re.DOTALL)
    lines = [line for line in text.splitlines() if not line.startswith(("|", "    ", "!["))]
    assert [line for line in lines if len(line) > 150] == []


@pytest.mark.parametrize("page", PAGES)
def test_table_rows_have_the_cells_of_their_header(page):
    """A bar within a cell is escaped, also in code. Otherwise it begins a cell, and the last cells are not shown."""
    text = re.sub(r"^```.*?^```", "", (ROOT / page).read_text(), flags=re.MULTILINE | re.DOTALL)
    tables = re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE)
    counts = [{len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()} for table in tables]
    assert [table for table, found in zip(tables, counts, strict=True) if len(found) > 1] == []


def functions_of_steps() -> Iterator[tuple[str, list[Path]]]:
    """Yield each class and function in the tables of the architecture page, with the files of its row."""
    for line in (ROOT / "docs/architecture.md").read_text().splitlines():
        cells = line.split("|")
        files = re.findall(r"`([^`]+\.py)`", cells[2]) if len(cells) == 5 else []
        if files:
            folder = ROOT / Path(files[0]).parent
            paths = [ROOT / file if "/" in file else folder / file for file in files]
            yield from ((name, paths) for quoted in re.findall(r"`([\w.]+)`", cells[3]) for name in quoted.split("."))


def test_architecture_page_names_existing_functions():
    """Every class and function in the steps of a request and of a row is defined in a file of its step."""
    steps = list(functions_of_steps())
    assert len(steps) > 30
    missing = [
        name
        for name, paths in steps
        if not any(re.search(rf"\b(?:def|class) {name}\b", path.read_text()) for path in paths)
    ]
    assert missing == []
