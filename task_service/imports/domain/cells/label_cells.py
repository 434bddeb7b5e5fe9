"""Labels of a row: from several columns, within titles, and with the names of colours."""

import re
from itertools import product
from typing import NamedTuple

from task_service.csv_dialect.text import escape_formula, unescape_formula
from task_service.tasks.domain.values import MAX_LABEL_CHARACTERS, MAX_LABELS, MAX_TITLE_CHARACTERS

_COLORS = ("green", "yellow", "orange", "red", "purple", "blue", "sky", "lime", "pink", "black", "grey", "gray")
_SHADES = ("light", "dark")
LABEL_COLORS = frozenset(
    (*_COLORS, *(form for pair in product(_COLORS, _SHADES) for form in (" ".join(pair), " ".join(reversed(pair)))))
)
"""Names of colours that strip_label_colors removes: those of Trello."""

MAX_SPLIT_CHARACTERS = MAX_TITLE_CHARACTERS + MAX_LABELS * (MAX_LABEL_CHARACTERS + 2)
"""Maximum characters of a title with its labels. A longer one is an error, which needs no labels."""

_SPACES = re.compile(r"(\s+)")


class LabelCells(NamedTuple):
    """Cells that give the labels together. A row has them as a flat tuple, with the last ones one by one."""

    status: str
    status_or_label: str
    title_labels: str
    """Labels of the title, with spaces between."""
    labels: tuple[str, ...]


class TitleCells(NamedTuple):
    """Title without its labels, and the labels with spaces between."""

    title: str
    labels: str = ""


def split_title(cell: str, prefix: str) -> TitleCells:
    """Return a title cell without the words that begin with the prefix, and these words as labels.

    A word that can't be a label stays in the title. A title of labels only stays as it is. The results are cells, with
    neutralising apostrophes.
    """
    if prefix not in cell or len(cell) > MAX_SPLIT_CHARACTERS:
        return TitleCells(cell)
    # Words are at the even positions, and each has its preceding spaces at the position before it.
    parts = _SPACES.split(unescape_formula(cell))
    words = [(part, parts[index - 1] if index else "") for index, part in enumerate(parts) if index % 2 == 0]
    labels = [word[1:] for word, _ in words if _is_title_label(word, prefix)]
    if not labels:
        return TitleCells(cell)
    title = "".join(spaces + word for word, spaces in words if not _is_title_label(word, prefix))
    return TitleCells(escape_formula(title.strip()) or cell, escape_formula(" ".join(labels)))


def strip_color(label: str) -> str:
    """Return a label such as `garden (green)` without the colour, and `(green)` without the brackets."""
    text = label.rstrip()
    if not text.endswith(")"):
        return label
    name, _, color = text[:-1].rpartition("(")
    color = color.strip()
    if color.lower().replace("_", " ") not in LABEL_COLORS:
        return label
    return name.rstrip() or color


def _is_title_label(word: str, prefix: str) -> bool:
    return (
        word.startswith(prefix)
        and len(word) <= len(prefix) + MAX_LABEL_CHARACTERS
        and "," not in word
        and any(map(str.isalnum, word))
    )
