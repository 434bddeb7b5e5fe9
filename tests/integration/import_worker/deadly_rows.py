"""An import worker that dies of a certain row, as of a fault in a parser's native code: at once and without a word.

    python -m tests.integration.import_worker.deadly_rows

The pool's children are fresh interpreters that import the program's main module: what is done here is done in them too.
"""

import csv
import os
from collections.abc import Iterator
from signal import SIGKILL
from typing import Any

from import_worker.__main__ import main

DEADLY = "Nobody survives this"

_reader = csv.reader


def _deadly_reader(*arguments: Any, **options: Any) -> Iterator[list[str]]:
    for row in _reader(*arguments, **options):
        if DEADLY in row:
            os.kill(os.getpid(), SIGKILL)
        yield row


# As the program itself, or as what its children make of it; the test imports the word alone.
if __name__ in {"__main__", "__mp_main__"}:
    csv.reader = _deadly_reader  # type: ignore[assignment]

if __name__ == "__main__":
    main()
