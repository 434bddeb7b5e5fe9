"""Limits on the size of all stored files."""

from dataclasses import dataclass
from typing import NamedTuple

from task_service.imports.domain.errors import StorageFull, StorageQuotaExceeded


class StoredBytes(NamedTuple):
    """Size of the files that are already stored."""

    of_owner: int = 0
    of_all: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageQuota:
    """Maximum size of the stored files of one owner, and of those of all owners."""

    max_bytes_per_owner: int
    max_bytes: int

    def check(self, stored: StoredBytes, size: int) -> None:
        """Raise StorageQuotaExceeded or StorageFull if another file of this size does not fit."""
        if stored.of_owner + size > self.max_bytes_per_owner:
            raise StorageQuotaExceeded(limit=self.max_bytes_per_owner)
        if stored.of_all + size > self.max_bytes:
            raise StorageFull
