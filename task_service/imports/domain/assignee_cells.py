"""Assignee cells: the texts that can be a user."""

from collections.abc import Iterator

from task_service.imports.domain.assignees import is_email


def assignee_candidates(cell: str) -> Iterator[str]:
    """Yield the usernames and emails that a cell can mean, best first.

    A task has one assignee. A list in brackets is that one if it has one item. A cell with several names yields at most
    its whole text, because a choice would be a guess, and a username may have commas.
    """
    text = cell.strip()
    has_several = any(separator in text for separator in ",;")
    is_bracketed = text.startswith("[") and text.endswith("]")
    # No email has these characters. As an unknown email, the text would count towards the limit on those.
    if not (is_email(text) and (has_several or is_bracketed)):
        yield text
    if is_bracketed and not has_several:
        yield text[1:-1].strip()
