"""Assignees in cells: usernames and emails, and the limit on unknown emails."""

import re
from collections.abc import Collection, Container, Iterator
from hashlib import blake2b
from uuid import UUID

MAX_UNKNOWN_EMAILS = 500
"""Maximum number of different unknown emails in an import: a file must not show which of many emails have accounts."""

DIGEST_BYTES = 16

# The other two characters are @ in NFKC. auth_service has the same rule, and no new username matches it.
_EMAIL = re.compile(r".[@\uff20\ufe6b].", re.DOTALL)
# RFC 5322 section 3.4, as in "Ann Lee <ann@example.com>".
_MAILBOX = re.compile(r"[^<>]*<([^<>\s]+)>")


def is_email(assignee: str) -> bool:
    """Return True if the text of an assignee cell is an email, False if it is a username."""
    return _EMAIL.search(assignee) is not None


def unknown_email_digests(import_id: UUID, assignees: Collection[str], known: Container[str]) -> frozenset[bytes]:
    """Return digests of the emails that are not known. Equal emails of an import have equal digests.

    The digests depend on the import, so that they do not show which emails two imports have in common.
    """
    return frozenset(
        blake2b(assignee.encode(), digest_size=DIGEST_BYTES, key=import_id.bytes).digest()
        for assignee in assignees
        if is_email(assignee) and assignee not in known
    )


def assignee_candidates(cell: str) -> Iterator[str]:
    """Yield the usernames and emails that a cell can mean, best first.

    A task has one assignee. A list in brackets is that one if it has one item. A cell with several names yields at most
    its whole text, because a choice would be a guess, and a username may have commas. A name with an email in angle
    brackets is that email.
    """
    text = cell.strip()
    if (mailbox := _MAILBOX.fullmatch(text)) and is_email(mailbox[1]):
        yield mailbox[1]
        return
    has_several = any(separator in text for separator in ",;")
    is_bracketed = text.startswith("[") and text.endswith("]")
    # No email has these characters. As an unknown email, the text would count towards the limit on those.
    if not (is_email(text) and (has_several or is_bracketed)):
        yield text
    if is_bracketed and not has_several:
        yield text[1:-1].strip()
