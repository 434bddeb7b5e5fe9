"""External ids that a spreadsheet has changed."""

import re
from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from task_service.csv_dialect.text import unescape_formula
from task_service.imports.domain.rows.batch import Batch

_ROUNDED_NUMBER = re.compile(r"-?\d(?:[.,]\d+)?E\+\d{2,3}", re.ASCII)


def find_rounded_ids(batch: Batch, fields: Sequence[str]) -> AbstractSet[str]:
    """Return the external_ids such as 1.21E+08: a spreadsheet saves long numbers so, without most of the digits."""
    if "external_id" not in fields:
        return frozenset()
    cells = batch.cells[fields.index("external_id") :: len(fields)]
    # One search in the whole column takes a tenth of the time of a search in each cell.
    if "E+" not in "\n".join(cells):
        return frozenset()
    return {text for cell in cells if _ROUNDED_NUMBER.fullmatch(text := unescape_formula(cell).strip())}
