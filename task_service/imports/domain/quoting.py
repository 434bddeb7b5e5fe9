"""Quotation of a file's and a client's texts in error messages."""

MAX_QUOTED_CHARACTERS = 40


def quote(text: str) -> str:
    """Return a text in quotes, its unprintable characters escaped. A long one is cut."""
    return repr(text[:MAX_QUOTED_CHARACTERS])
