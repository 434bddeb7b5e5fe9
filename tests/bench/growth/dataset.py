"""The tasks of the bench, which are numbered by age, and the values that its queries look for.

Numbers below 0 belong to the owner of old tasks, and the last ones to the owner of new tasks. The others come in 400
blocks. Of five tasks in a block, four belong to small owners, each of which has one task in each block, and one belongs
to the large owner. So all owners have tasks of all ages.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import md5
from uuid import UUID

SMALL_OWNER_TASKS = 400
TASKS_MULTIPLE = 5 * SMALL_OWNER_TASKS
EVERY_OWNER = "all"
OWNERS = ("small", "large", "old", "new")
"""Owners with an account. The other small owners are only ids."""

LONG_AGO = datetime(1990, 1, 1, tzinfo=UTC)
FAR_AHEAD = datetime(2100, 1, 1, tzinfo=UTC)
RARE_DUE_BEFORE = "2005-01-01"
RARE_DUE_AFTER = "2090-01-01"

_AGE = timedelta(days=730)
_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True)
class Dataset:
    """Size and times of the tasks. Each task is younger than the task before it by `step_ms`."""

    tasks: int
    start_ms: int
    step_ms: int

    @classmethod
    def new(cls, tasks: int) -> "Dataset":
        """Return a data set of about `tasks` tasks from the last two years."""
        rounded = max(1, round(tasks / TASKS_MULTIPLE)) * TASKS_MULTIPLE
        end = datetime.now(UTC) - timedelta(days=1)
        step_ms = max(1, _AGE // _MILLISECOND // (rounded + 4 * SMALL_OWNER_TASKS))
        return cls(rounded, int(end.timestamp() * 1000) - step_ms * (rounded + 4 * SMALL_OWNER_TASKS), step_ms)

    @property
    def block(self) -> int:
        return self.tasks // SMALL_OWNER_TASKS

    @property
    def small_owners(self) -> int:
        return self.block * 4 // 5

    def owned(self, owner: str) -> int:
        """Return the number of tasks of an owner, or of all owners."""
        return {"large": self.tasks // 5, EVERY_OWNER: self.tasks + 2 * SMALL_OWNER_TASKS}.get(owner, SMALL_OWNER_TASKS)

    def created_at(self, owner: str, index: int) -> datetime:
        """Return the creation time of the task at an index of an owner's tasks, the oldest first."""
        number = {
            "small": index * self.block,
            "large": index // (self.block // 5) * self.block + index % (self.block // 5) * 5 + 4,
            "old": index - SMALL_OWNER_TASKS,
            "new": self.tasks + index,
            EVERY_OWNER: index - SMALL_OWNER_TASKS,
        }[owner]
        return self._time(number)

    @property
    def last_change(self) -> datetime:
        """Time after which only the rare tasks changed."""
        return self._time(self.tasks + 2 * SMALL_OWNER_TASKS)

    def ms(self, number: int) -> int:
        """Return the creation time of the task with a number, in milliseconds since 1970."""
        return self.start_ms + number * self.step_ms

    def _time(self, number: int) -> datetime:
        return datetime.fromtimestamp(0, UTC) + self.ms(number) * _MILLISECOND


def import_id(owner_id: str, matches: str) -> str:
    """Return the id of the import that created half of the owner's tasks (many), three of them (few) or none."""
    return str(UUID(md5(f"{owner_id}{matches}".encode(), usedforsecurity=False).hexdigest()))
