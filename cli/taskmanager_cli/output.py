"""Output for people and programs: results go to stdout, messages, questions and progress to stderr."""

import json
import os
import re
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, TextIO

import typer
from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from taskmanager_cli.personal_tokens import without_tokens

_WIDTH_OF_PIPES = 200
"""Columns of a table that no terminal shows: a program that reads it needs whole cells."""
_MAX_MEASURED = 1_000_000
_HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Unicode categories of controls, format characters, surrogates, and separators of lines and paragraphs."""
_SHOWN = {"\n", "\u200c", "\u200d"}
_RAW_CONTROLS = re.compile("[\x7f-\x9f]")
"""Control characters that JSON may have as they are."""
_STYLES = {"Error": "bold red", "Internal error": "bold red", "Warning": "bold yellow"}


@cache
def stdout() -> Console:
    return _console(sys.stdout)


@cache
def stderr() -> Console:
    return _console(sys.stderr)


def _console(file: TextIO) -> Console:
    is_piped = not file.isatty() and "COLUMNS" not in os.environ
    width = _WIDTH_OF_PIPES if is_piped else None
    return Console(file=file, markup=False, highlight=False, emoji=False, width=width)


def note(text: str, *, wrap: bool = False) -> None:
    """Print a message for a person. Errors and warnings begin with a colour if the terminal has any.

    Without `wrap` a line stays whole, because people copy commands from it.
    """
    message = Text(printable(without_tokens(text)))
    for word, style in _STYLES.items():
        message.highlight_regex(rf"^{word}:", style)
    stderr().print(message, soft_wrap=not wrap)


def confirm(question: str) -> bool:
    """Ask until the answer is yes, which is the default, or no."""
    while True:
        answer = typer.prompt(f"{question} [Y/n]", default="y", show_default=False, err=True).strip().lower()
        if answer in {"y", "yes"}:
            return True
        if answer in {"n", "no"}:
            return False
        note("Answer y or n.")


def print_json(value: Any) -> None:
    sys.stdout.write(f"{_to_json(value, indent=2)}\n")


def print_json_line(value: Any) -> None:
    """Print one line at once: a stream has no end."""
    sys.stdout.write(f"{_to_json(value)}\n")
    sys.stdout.flush()


def _to_json(value: Any, indent: int | None = None) -> str:
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    return _RAW_CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def printable(text: str) -> str:
    """Return the text with code points, such as <U+202E>, for characters that could control the terminal or mislead.

    These are control characters, and format characters such as marks of another text direction; not the joiners of
    emoji and of Persian. A line break of Windows becomes one of Unix, and a tab, whose width depends on the terminal, a
    space.
    """
    text = text.replace("\r\n", "\n").replace("\t", " ")
    return "".join(f"<U+{ord(char):04X}>" if _is_hidden(char) else char for char in text)


def _is_hidden(char: str) -> bool:
    return unicodedata.category(char) in _HIDDEN and char not in _SHOWN


def shorten(text: str, width: int) -> str:
    """Return the text, cut to the width with an ellipsis at its end."""
    return text if len(text) <= width else f"{text[: width - 1]}…"


def minute_of(time: str) -> str:
    """Return the minute of a time of the server, which is in UTC, such as "2026-12-31 23:59"."""
    return time[:16].replace("T", " ")


def count_of(number: int, noun: str) -> str:
    """Return a number and its noun, such as "1 row" and "2,000 rows"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def print_table(
    title: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    whole: Sequence[str] = (),
    console: Console | None = None,
) -> None:
    """Print a table, or the rows as fields below each other if the terminal is too narrow for whole words.

    The columns in `whole`, such as ids that people copy, are never wrapped.
    """
    console = console or stdout()
    shown = Table(header_style="bold cyan", box=box.ROUNDED)
    for column in columns:
        shown.add_column(column, no_wrap=column in whole, overflow="fold")
    cells = [["" if cell is None else str(cell) for cell in row] for row in rows]
    for row in cells:
        shown.add_row(*map(printable, row))
    if title:
        console.print(f"\n{title}", style="bold", soft_wrap=True)
    needed = Measurement.get(console, console.options.update(max_width=_MAX_MEASURED), shown).minimum
    if needed <= console.width or not console.is_terminal:
        console.print(shown)
        return
    for row in cells:
        print_fields(zip(columns, row, strict=True), console=console)
        console.print()


def print_fields(fields: Iterable[tuple[str, object]], *, console: Console | None = None) -> None:
    """Print names and values below each other, without empty values. People copy values, so none is wrapped."""
    shown = [(name, printable(str(value))) for name, value in fields if value not in {"", None}]
    width = max((len(name) for name, _ in shown), default=0) + 2
    for name, value in shown:
        line = Text(name.ljust(width), style="bold").append(value.replace("\n", "\n" + " " * width), style="not bold")
        (console or stdout()).print(line, soft_wrap=True)
