"""Unicode rules for names: normalization, case folding and visible characters."""

import unicodedata

from chassis.kernel.quoting import is_invisible

MAX_NORMALIZABLE_CHARACTERS = 512
"""Maximum length of a client's text that is normalized: twice the longest email, eight times the longest username.

NFKC sorts the combining marks of a letter in a time that grows with the square of their number. Sixteen thousand
marks took a second; four million would take a day. Every caller therefore checks this length first.
"""


def nfkc(text: str) -> str:
    """Return the text in NFKC (Unicode Standard Annex 15), which gives equivalent texts one spelling."""
    return unicodedata.normalize("NFKC", text)


def nfkc_casefold(text: str) -> str:
    """Return a text that is equal for texts that differ only in letter case or spelling (close to toNFKC_Casefold)."""
    # Case folding can undo the normal form, so the text is normalized again.
    return nfkc(nfkc(text).casefold())


def is_visible(text: str) -> bool:
    """Return True if every character is visible. Spaces count as visible."""
    return not any(is_invisible(character) and unicodedata.category(character) != "Zs" for character in text)


def starts_with_combining_mark(text: str) -> bool:
    """Return True if the first character would be drawn onto the character that precedes the text."""
    return unicodedata.category(text[:1] or " ").startswith("M")
