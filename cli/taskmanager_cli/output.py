"""Output for people and programs: results go to stdout, messages, questions and progress to stderr."""

import json
import os
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from rich.console import Console
from rich.table import Table

from taskmanager_cli.personal_tokens import without_tokens

_WIDTH_OF_PIPES = 200
"""Columns of a table that no terminal shows: a program that reads it needs whole cells."""


@cache
def stdout() -> Console:
    is_piped = not sys.stdout.isatty() and "COLUMNS" not in os.environ
    return Console(markup=False, highlight=False, emoji=False, width=_WIDTH_OF_PIPES if is_piped else None)


@cache
def stderr() -> Console:
    is_piped = not sys.stderr.isatty() and "COLUMNS" not in os.environ
    return Console(stderr=True, markup=False, highlight=False, emoji=False, width=_WIDTH_OF_PIPES if is_piped else None)


def note(text: str) -> None:
    """Print a message for a person."""
    stderr().print(printable(without_tokens(text)), soft_wrap=True)


def print_json(value: Any) -> None:
    sys.stdout.write(f"{json.dumps(value, ensure_ascii=False, indent=2)}\n")


def print_json_line(value: Any) -> None:
    """Print one line at once: a stream has no end."""
    sys.stdout.write(f"{json.dumps(value, ensure_ascii=False)}\n")
    sys.stdout.flush()


def printable(text: str) -> str:
    """Return the text without control characters, which could make the terminal run commands."""
    return "".join("\ufffd" if unicodedata.category(char) in {"Cc", "Cs"} and char != "\n" else char for char in text)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, whole: Sequence[str] = ()) -> Table:
    """Return a table. The columns in `whole`, such as ids that people copy, are never cut."""
    shown = Table(title=title or None, title_justify="left", header_style="bold")
    for column in columns:
        shown.add_column(column, no_wrap=column in whole, overflow="fold")
    for row in rows:
        shown.add_row(*(printable("" if cell is None else str(cell)) for cell in row))
    return shown


def print_fields(fields: Iterable[tuple[str, object]]) -> None:
    """Print names and values below each other, without empty values."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in fields:
        if value not in {"", None}:
            grid.add_row(name, printable(str(value)))
    stdout().print(grid)
