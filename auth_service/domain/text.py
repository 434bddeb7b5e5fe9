"""Text that people tell apart by eye: what may be in a name, and when two names are the same."""

import unicodedata

# Controls, formats (zero-width ones and direction marks), surrogates, private use, unassigned, line and paragraph ends.
_UNSEEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})

# Letters, marks and symbols that nevertheless show nothing (Unicode's Default_Ignorable_Code_Point, and the blank
# Braille pattern): two names that differ by them look the same.
_UNSEEN_CHARACTERS = frozenset(
    {0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0}
    | set(range(0x180B, 0x1810))
    | set(range(0xFE00, 0xFE10))
    | set(range(0xE0000, 0xE1000))
)


MOST_CHARACTERS = 512
"""The longest text of a stranger's that is worth normalising: twice the longest email, eight times the longest name.

NFKC puts a letter's marks in order, in a time that grows with the square of their number: sixteen thousand of them took
a second, four million would take a day. So whoever reads a name looks at this first.
"""


def normalise(text: str) -> str:
    """NFKC (Unicode Standard Annex 15): one spelling for what looks and means the same."""
    return unicodedata.normalize("NFKC", text)


def fold(text: str) -> str:
    """What two texts have in common that differ by letter case or spelling only (toNFKC_Casefold, nearly)."""
    # Folding may undo the normal form, so it is taken again.
    return normalise(normalise(text).casefold())


def is_visible(text: str) -> bool:
    """Whether every character shows, the space included."""
    return not any(
        unicodedata.category(character) in _UNSEEN_CATEGORIES or ord(character) in _UNSEEN_CHARACTERS
        for character in text
    )


def begins_with_mark(text: str) -> bool:
    """Whether the first character would be drawn onto whatever stands before it."""
    return unicodedata.category(text[:1] or " ").startswith("M")
