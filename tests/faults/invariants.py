"""What must hold of every import at every moment, and of each at its end, asked in SQL."""

import threading
from contextlib import suppress
from typing import NamedTuple, Self

import psycopg
from psycopg.rows import class_row

from tests.faults.system import FaultySystem
from tests.faults.workload import FINAL, File, Workload

# One statement, and so one snapshot: what stands there was committed together.
_LOOK = """
    SELECT i.id::text, i.file_name, i.state, i.fence, i.bytes_read, i.bytes_total, i.rows_created, i.rows_failed,
        i.rows_read, i.failure_code, made.tasks, made.titles, made.furthest, made.events, made.histories,
        wrong.records AS wrong
    FROM tasks.imports i,
        LATERAL (
            SELECT count(DISTINCT t.id) AS tasks, count(DISTINCT t.title) AS titles, count(e.id) AS events,
                count(DISTINCT e.task_id) AS histories,
                coalesce(max(substring(t.description FROM '[0-9]+')::bigint), 0) AS furthest
            FROM tasks.tasks t LEFT JOIN tasks.task_events e ON e.task_id = t.id
            WHERE t.import_id = i.id
        ) made,
        LATERAL (SELECT count(DISTINCT record) AS records FROM tasks.import_errors WHERE import_id = i.id) wrong
    WHERE i.file_name = ANY(%s)
"""


class Seen(NamedTuple):
    """One import and what it has made, at one moment."""

    id: str
    file_name: str
    state: str
    fence: int
    bytes_read: int
    bytes_total: int
    rows_created: int
    rows_failed: int
    rows_read: int
    failure_code: str | None
    tasks: int
    titles: int
    furthest: int
    events: int
    histories: int
    wrong: int

    def assert_is_whole(self, file: File) -> None:
        """Everything below the checkpoint is there once, and nothing else."""
        records = self.rows_created + self.rows_failed
        assert self.rows_read == records, self  # nothing else came of a row: the files name no external_ids
        assert self.rows_failed == self.wrong == file.wrong(records), self
        assert self.rows_created == self.tasks == self.titles == self.events == self.histories, self
        assert self.furthest <= records <= file.rows, self

    def assert_has_ended_well(self, file: File) -> None:
        """All rows are there; of a deadly file those that were committed before it killed, five times in a row."""
        self.assert_is_whole(file)
        if file.is_deadly:
            assert (self.state, self.failure_code) == ("failed", "NO_PROGRESS"), self
            assert self.rows_read < file.rows, self
            return
        assert self.state == "succeeded", self
        assert self.rows_created + self.rows_failed == file.rows, self
        assert self.bytes_read == self.bytes_total, self


def look(system: FaultySystem, names: list[str]) -> list[Seen]:
    """The imports of files, and what they have made."""
    url = system.stack.endpoints["postgres_url"]
    with psycopg.connect(url, connect_timeout=5, row_factory=class_row(Seen)) as connection:
        return connection.execute(_LOOK, [names]).fetchall()


class Observer:
    """Looks at what is under way again and again, through every fault."""

    def __init__(self, workload: Workload) -> None:
        self._workload = workload
        self._last: dict[str, Seen] = {}
        self._settled: set[str] = set()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="observer", daemon=True)
        self.looks = 0
        self.objections: list[str] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closing.wait(0.2):
            with suppress(OSError, psycopg.OperationalError):
                self._look()

    def _look(self) -> None:
        files = {file.name: file for file in [*self._workload.answered.values(), *self._workload.unanswered.values()]}
        for seen in look(self._workload.system, [name for name in files if name not in self._settled]):
            self.looks += 1
            try:
                seen.assert_is_whole(files[seen.file_name])
                self._assert_never_back(seen)
            except AssertionError as error:
                self.objections.append(str(error))
            self._last[seen.id] = seen
            if seen.state in FINAL:
                self._settled.add(seen.file_name)

    def _assert_never_back(self, seen: Seen) -> None:
        last = self._last.get(seen.id)
        if last is not None:
            was = (last.bytes_read, last.rows_created, last.rows_failed, last.fence)
            now = (seen.bytes_read, seen.rows_created, seen.rows_failed, seen.fence)
            assert all(new >= old for old, new in zip(was, now, strict=True)), (last, seen)
