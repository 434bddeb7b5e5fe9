"""Options that are JSON objects."""

import json
from collections.abc import Callable
from typing import Any

from chassis.kernel.errors import Invalid

MAX_JSON_CHARACTERS = 65_536


def parse_json_object(text: str, *, malformed: type[Invalid], duplicate: Callable[[str], Invalid]) -> dict[str, Any]:
    """Parse a JSON object without repeated names.

    Raises:
        malformed: the text is not such an object, with the `problem`.
        duplicate: a name is repeated; the function gets it.

    """
    if len(text) > MAX_JSON_CHARACTERS:
        raise malformed(problem=f"it is longer than {MAX_JSON_CHARACTERS} characters")

    def unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in pairs:
            if name in found:
                raise duplicate(name)
            found[name] = value
        return found

    try:
        parsed = json.loads(text, object_pairs_hook=unique_names)
    except (ValueError, RecursionError):
        raise malformed(problem="it is not JSON") from None
    if not isinstance(parsed, dict):
        raise malformed(problem="it is not an object")
    return parsed
