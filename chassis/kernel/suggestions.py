"""Suggestions for a misspelt name."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

_MAX_LENGTH = 80
"""A longer name is compared with none: the cost of a comparison grows with the square of the length."""


def close_names(name: str, known: Iterable[str], *, max_count: int = 1, cutoff: float = 0.8) -> list[str]:
    """Return the known names that resemble a name, the most similar one first."""
    return get_close_matches(name, known, n=max_count, cutoff=cutoff) if len(name) <= _MAX_LENGTH else []


def did_you_mean(suggestions: Sequence[str]) -> str:
    """Return a question that follows a sentence, such as " Did you mean A, B or C?", or "" without a suggestion."""
    if not suggestions:
        return ""
    *others, last = suggestions
    return f" Did you mean {', '.join(others)} or {last}?" if others else f" Did you mean {last}?"
