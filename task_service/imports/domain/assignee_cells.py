"""Assignee cells: the texts that can be a username."""

from collections.abc import Iterator


def assignee_candidates(cell: str) -> Iterator[str]:
    """Yield the usernames that a cell can mean, best first.

    A task has one assignee. A list in brackets is that one if it has one item. A cell with several names yields only
    its whole text, because a choice would be a guess, and a username may have commas.
    """
    text = cell.strip()
    yield text
    if text.startswith("[") and text.endswith("]") and not any(separator in text for separator in ",;"):
        yield text[1:-1].strip()
