"""Standard output of a program that prints names of files, which are no text in every locale."""

import sys
from io import TextIOWrapper


def escape_unencodable() -> None:
    """Print characters that stdout can't encode as escapes, as stderr does. By default the program would fail."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
