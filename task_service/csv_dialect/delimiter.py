"""Delimiters of CSV files."""

from task_service.errors import UnknownDelimiter

DELIMITERS = ",;\t|"
DEFAULT_DELIMITER = ","
TAB = "tab"


def parse_delimiter(text: str) -> str:
    """Return the delimiter character, "" for an empty text. Raises UnknownDelimiter."""
    if text and text != TAB and text not in tuple(DELIMITERS):
        raise UnknownDelimiter
    return "\t" if text == TAB else text
