"""Answers kept for a while, so that not everybody is asked for every time."""

from collections.abc import Callable
from typing import Generic, TypeVar

MOST_REMEMBERED = 10_000

Key = TypeVar("Key")
Value = TypeVar("Value")


class Remembered(Generic[Key, Value]):
    """What was found, the latest so many of it, each for so many seconds."""

    def __init__(self, *, seconds: float, most: int, now: Callable[[], float]) -> None:
        self._seconds = seconds
        self._most = most
        self._now = now
        self._found: dict[Key, tuple[float, Value]] = {}

    def get(self, key: Key) -> Value | None:
        until, value = self._found.get(key, (0.0, None))
        return value if self._now() < until else None

    def last(self, key: Key, default: Value) -> Value:
        """What was found last, however long ago."""
        _, value = self._found.get(key, (0.0, default))
        return value

    def put(self, key: Key, value: Value) -> None:
        if key not in self._found and len(self._found) >= self._most:
            self._found.pop(next(iter(self._found)))
        self._found[key] = (self._now() + self._seconds, value)
