"""Suggestions for a path without a route."""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from chassis.kernel.suggestions import close_names

_PREFIX = re.compile(r"^/(?:api/)?(?:v\d+/)?")
_ID = re.compile(r"(?<=/)(?:\{\w+\}|[^/:]*\d[^/:]*)")
_MAX_PATH_BYTES = 200
_MAX_SUGGESTIONS = 3
_MIN_SIMILARITY = 0.6
_CACHE_SIZE = 1024


class PathSuggestions:
    """Finder of the templates that resemble a path. They are the contract's own: no byte of the path is in them."""

    def __init__(self, templates: Iterable[str], synonyms: Mapping[str, str]) -> None:
        """Prefer the first of several templates that differ only by their prefix or the names of their variables.

        `synonyms` are last words of paths in other APIs, each with the one in the templates that means the same.
        """
        self._synonyms = synonyms
        self._templates: dict[str, str] = {}
        for template in templates:
            self._templates.setdefault(_comparable(template), template)
        # A comparison with all templates costs half a millisecond. Clients repeat a wrong path with other ids.
        self._close = lru_cache(_CACHE_SIZE)(self._find)

    def find(self, raw_path: bytes) -> tuple[str, ...]:
        """Return at most three templates, the most similar one first."""
        return self._close(_comparable(raw_path.decode("latin-1"))) if len(raw_path) <= _MAX_PATH_BYTES else ()

    def _find(self, comparable: str) -> tuple[str, ...]:
        parents, slash, last = comparable.rpartition("/")
        if exact := self._templates.get(f"{parents}{slash}{self._synonyms.get(last, last)}"):
            return (exact,)
        close = close_names(comparable, self._templates, max_count=_MAX_SUGGESTIONS, cutoff=_MIN_SIMILARITY)
        return tuple(self._templates[name] for name in close)


def _comparable(path: str) -> str:
    """Return a path without /api/v1, with {} for each id, and with a slash before its verb."""
    return _ID.sub("{}", _PREFIX.sub("", path, count=1)).replace(":", "/").rstrip("/")
