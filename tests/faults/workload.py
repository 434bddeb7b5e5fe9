"""Files of which every row says where it stands, what was uploaded, and whether exactly that became tasks."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import httpx2 as httpx

from tests.faults.system import FaultySystem
from tests.support.crashing_rows import CRASHING_CELL
from tests.support.users import User

FINAL = {"succeeded", "failed", "cancelled"}

ONE_IN, DEADLY_ONE = 24, 3
"""Of so many files this one kills every worker that reads on to its last row: an early one, for it ends late."""


@dataclass(frozen=True)
class File:
    """A file of `rows` rows; every `spoilt`-th has no title. The last row of a deadly one kills whoever reads it."""

    name: str
    rows: int
    spoilt: int
    is_deadly: bool

    def content(self) -> str:
        rows = (f"{self.title(record)},row {record},pending\n" for record in range(1, self.rows + 1))
        return "title,description,status\n" + "".join(rows)

    def title(self, record: int) -> str:
        if self.is_deadly and record == self.rows:
            return CRASHING_CELL
        return "" if record % self.spoilt == 0 else f"{self.name} {record}"

    def wrong(self, records: int) -> int:
        """How many of the first so many records are wrong."""
        return records // self.spoilt


@dataclass
class Workload:
    """People who upload files while the system is being hurt."""

    system: FaultySystem
    people: list[User]
    chance: random.Random
    answered: dict[str, File] = field(default_factory=dict)
    """What was answered by 202, by the import's id."""
    unanswered: dict[str, File] = field(default_factory=dict)
    """What was not, by name: it may have become an import or not."""

    def upload(self, *, most_rows: int = 20_000, halfway: Callable[[], None] = lambda: None) -> File:
        """Uploads a new file; `halfway` is called when half of it is sent."""
        number = len(self.answered) + len(self.unanswered)
        rows, spoilt = self.chance.randrange(1, most_rows), self.chance.choice((7, 100, 100_000))
        file = File(f"file-{number}", rows, spoilt, is_deadly=number % ONE_IN == DEADLY_ONE)
        person = self.chance.choice(self.people)
        try:
            answer = person.http.post(
                "/api/upload-csv",
                params={"file_name": file.name},
                headers={"content-type": "text/csv"},
                content=_in_halves(file.content().encode(), halfway),
                timeout=20,
            )
        except httpx.TransportError:
            self.unanswered[file.name] = file
            return file
        if answer.status_code == 202:
            self.answered[answer.json()["id"]] = file
        else:
            assert answer.status_code >= 500, f"{answer.status_code}: {answer.text}"
            self.unanswered[file.name] = file
        return file


def _in_halves(data: bytes, halfway: Callable[[], None]) -> Iterator[bytes]:
    yield data[: len(data) // 2]
    halfway()
    yield data[len(data) // 2 :]
