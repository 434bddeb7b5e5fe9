"""External ids that a spreadsheet has changed."""

import re

_SCIENTIFIC = re.compile(r"-?\d(?:[.,]\d+)?E\+\d{2,3}", re.ASCII)


def is_rounded_number(external_id: str) -> bool:
    """Return True for a number such as 1.21E+08: a spreadsheet shows and saves long numbers so, without most digits."""
    return _SCIENTIFIC.fullmatch(external_id) is not None
