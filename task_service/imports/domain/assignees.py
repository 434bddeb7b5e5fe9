"""Assignees of a file: usernames and emails, and the limit on unknown emails."""

import re
from collections.abc import Collection, Container
from hashlib import blake2b
from uuid import UUID

MAX_UNKNOWN_EMAILS = 500
"""Maximum number of different unknown emails in an import: a file must not show which of many emails have accounts."""

DIGEST_BYTES = 16

# The other two characters are @ in NFKC. auth_service has the same rule, and no new username matches it.
_EMAIL = re.compile(r".[@\uff20\ufe6b].", re.DOTALL)


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
