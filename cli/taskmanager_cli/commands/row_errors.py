"""Table of the errors of rows."""

import re
from collections.abc import Iterable
from typing import Any

from rich.console import Console

from taskmanager_cli.output import print_table, shorten

# The table fits into 80 columns.
_MAX_VALUE = 20
_MAX_WORD = 32
_LONG_WORD = re.compile(rf"\S{{{_MAX_WORD + 1},}}")


def print_row_errors(title: str, errors: Iterable[dict[str, Any]], *, console: Console | None = None) -> None:
    """Print row errors as a table. An error of the header line has no line."""
    rows = (
        (
            error["line"] or "",
            error["column"],
            shorten(error["value"], _MAX_VALUE),
            _LONG_WORD.sub(lambda word: shorten(word[0], _MAX_WORD), error["message"]),
        )
        for error in errors
    )
    print_table(title, ("line", "column", "value", "message"), rows, whole=("line", "column"), console=console)
