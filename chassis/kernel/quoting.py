"""Quotation of a client's texts in messages. An invisible character is shown as its code point, such as <U+FEFF>."""

from itertools import chain

MAX_QUOTED_CHARACTERS = 40

# Invisible characters: C1 controls, Default_Ignorable_Code_Point (Unicode's DerivedCoreProperties.txt), annotation
# marks and the empty Braille cell.
_INVISIBLE_RANGES = (
    *(range(0x80, 0xA0), range(0x115F, 0x1161), range(0x17B4, 0x17B6), range(0x180B, 0x1810), range(0x200B, 0x2010)),
    *(range(0x202A, 0x202F), range(0x2060, 0x2070), range(0xFE00, 0xFE10), range(0xFFF0, 0xFFFC)),
    *(range(0x1BCA0, 0x1BCA4), range(0x1D173, 0x1D17B), range(0xE0000, 0xE1000)),
    (0xAD, 0x034F, 0x061C, 0x2800, 0x3164, 0xFEFF, 0xFFA0),
)
INVISIBLE_CHARACTERS = frozenset(map(chr, chain.from_iterable(_INVISIBLE_RANGES)))
"""Characters that are drawn as nothing. Python counts some of them as printable."""


def quote(text: str, max_characters: int = MAX_QUOTED_CHARACTERS) -> str:
    """Return a text in quotes. A long one is cut."""
    mark = '"' if "'" in text else "'"
    return f"{mark}{escape_invisible(text[:max_characters])}{mark}"


def escape_invisible(text: str) -> str:
    """Return the text with code points for its control characters, format characters and special spaces."""
    return "".join(f"<{format_code_point(char)}>" if is_invisible(char) else char for char in text)


def is_invisible(character: str) -> bool:
    """Return True for a character that is drawn as nothing or as a space, except the space itself."""
    return not character.isprintable() or character in INVISIBLE_CHARACTERS


def format_code_point(character: str) -> str:
    """Return the code point of a character, such as U+FEFF."""
    return f"U+{ord(character):04X}"
