"""Count of what is held at the same time, by key."""

from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


class HolderCounts(Generic[Key]):
    """Number of holders of each key. A key leaves with its last holder, so that it takes no memory afterwards."""

    __slots__ = ("_counts", "total")

    def __init__(self) -> None:
        self._counts: dict[Key, int] = {}
        self.total = 0
        """Number of holders of all keys."""

    def __len__(self) -> int:
        """Return the number of keys that have holders."""
        return len(self._counts)

    def __getitem__(self, key: Key) -> int:
        """Return the number of holders of a key."""
        return self._counts.get(key, 0)

    def add(self, key: Key) -> None:
        """Count a new holder."""
        self.total += 1
        self._counts[key] = self._counts.get(key, 0) + 1

    def remove(self, key: Key) -> None:
        """Count the end of a holder that was added."""
        count = self._counts[key] - 1
        self.total -= 1
        if count:
            self._counts[key] = count
        else:
            del self._counts[key]
