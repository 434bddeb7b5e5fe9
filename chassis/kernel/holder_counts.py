"""Count of what is held at the same time, by key."""

from collections.abc import Hashable
from typing import TypeVar

Key = TypeVar("Key", bound=Hashable)


class HolderCounts(dict[Key, int]):
    """Number of holders of each key. A key leaves with its last holder, so that it takes no memory afterwards.

    Read a number with `get(key, 0)`: it costs less than a method in Python.
    """

    __slots__ = ("total",)

    def __init__(self) -> None:
        super().__init__()
        self.total = 0
        """Number of holders of all keys."""

    def add(self, key: Key) -> None:
        """Count a new holder."""
        self.total += 1
        self[key] = self.get(key, 0) + 1

    def remove(self, key: Key) -> None:
        """Count the end of a holder that was added."""
        count = self[key] - 1
        self.total -= 1
        if count:
            self[key] = count
        else:
            del self[key]
