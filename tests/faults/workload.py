"""Files with numbered rows, and users who upload them."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import httpx2 as httpx

from tests.faults.system import SystemUnderTest
from tests.support.crashing_rows import CRASHING_CELL
from tests.support.users import User

CRASHING_FILE_PERIOD, CRASHING_FILE_NUMBER = 24, 3
"""One file of a period crashes every worker that reads its last row. It comes early, because it ends late."""


@dataclass(frozen=True)
class File:
    """File of `rows` rows; every `invalid_every`-th has no title. The last row of a crashing file kills its reader."""

    name: str
    rows: int
    invalid_every: int
    crashes_reader: bool

    def content(self) -> str:
        rows = (f"{self.title(record)},row {record},pending\n" for record in range(1, self.rows + 1))
        return "title,description,status\n" + "".join(rows)

    def title(self, record: int) -> str:
        if self.crashes_reader and record == self.rows:
            return CRASHING_CELL
        return "" if record % self.invalid_every == 0 else f"{self.name} {record}"

    def count_invalid(self, records: int) -> int:
        """Count the invalid rows among the first `records` rows."""
        return records // self.invalid_every


@dataclass
class Workload:
    """Users who upload files during the faults."""

    system: SystemUnderTest
    users: list[User]
    rng: random.Random
    accepted: dict[str, File] = field(default_factory=dict)
    """Files whose upload returned 202, by the id of the import."""
    unconfirmed: dict[str, File] = field(default_factory=dict)
    """The other files, by name: each may have become an import or not."""

    def upload(self, *, max_rows: int = 20_000, at_half: Callable[[], None] = lambda: None) -> File:
        """Upload a new file; call `at_half` when half of it is sent."""
        number = len(self.accepted) + len(self.unconfirmed)
        rows, invalid_every = self.rng.randrange(1, max_rows), self.rng.choice((7, 100, 100_000))
        crashes_reader = number % CRASHING_FILE_PERIOD == CRASHING_FILE_NUMBER
        file = File(f"file-{number}", rows, invalid_every, crashes_reader)
        user = self.rng.choice(self.users)
        try:
            response = user.http.post(
                "/api/upload-csv",
                params={"file_name": file.name},
                headers={"content-type": "text/csv"},
                content=_send_in_halves(file.content().encode(), at_half),
                timeout=20,
            )
        except httpx.TransportError:
            self.unconfirmed[file.name] = file
            return file
        if response.status_code == 202:
            self.accepted[response.json()["id"]] = file
        else:
            assert response.status_code >= 500, f"{response.status_code}: {response.text}"
            self.unconfirmed[file.name] = file
        return file


def _send_in_halves(data: bytes, at_half: Callable[[], None]) -> Iterator[bytes]:
    yield data[: len(data) // 2]
    at_half()
    yield data[len(data) // 2 :]
