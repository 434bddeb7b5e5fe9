"""Invariants of every import at every moment and at its end, checked in SQL."""

import threading
from contextlib import suppress
from typing import NamedTuple, Self

import psycopg
from psycopg.rows import class_row

from tests.faults.system import SystemUnderTest
from tests.faults.workload import File, Workload
from tests.support.users import FINAL_STATES

# One statement reads one database snapshot, so all its values were committed together.
SNAPSHOT_SQL = """
    SELECT i.id::text, i.file_name, i.state, i.fence, i.bytes_read, i.bytes_total, i.rows_created, i.rows_failed,
        i.rows_read, i.failure_code, created.tasks, created.titles, created.furthest, created.events, created.histories,
        invalid.records AS invalid
    FROM tasks.imports i,
        LATERAL (
            SELECT count(DISTINCT t.id) AS tasks, count(DISTINCT t.title) AS titles, count(e.id) AS events,
                count(DISTINCT e.task_id) AS histories,
                coalesce(max(substring(t.description FROM '[0-9]+')::bigint), 0) AS furthest
            FROM tasks.tasks t LEFT JOIN tasks.task_events e ON e.task_id = t.id
            WHERE t.import_id = i.id
        ) created,
        LATERAL (SELECT count(DISTINCT record) AS records FROM tasks.import_errors WHERE import_id = i.id) invalid
    WHERE i.file_name = ANY(%s)
"""


class ImportSnapshot(NamedTuple):
    """One import and the rows it has written, at one moment."""

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
    invalid: int

    def assert_consistent(self, file: File) -> None:
        """Check that every record below the checkpoint counts exactly once, and nothing else."""
        records = self.rows_created + self.rows_failed
        assert self.rows_read == records, self  # no row is skipped: the files have no external_ids
        assert self.rows_failed == self.invalid == file.count_invalid(records), self
        assert self.rows_created == self.tasks == self.titles == self.events == self.histories, self
        assert self.furthest <= records <= file.rows, self

    def assert_completed(self, file: File) -> None:
        """Check that all rows were imported. A crashing file fails after five attempts and keeps its committed rows."""
        self.assert_consistent(file)
        if file.crashes_reader:
            assert (self.state, self.failure_code) == ("failed", "NO_PROGRESS"), self
            assert self.rows_read < file.rows, self
            return
        assert self.state == "succeeded", self
        assert self.rows_created + self.rows_failed == file.rows, self
        assert self.bytes_read == self.bytes_total, self


def snapshot_imports(system: SystemUnderTest, names: list[str]) -> list[ImportSnapshot]:
    """Return a snapshot of the imports of these files."""
    url = system.stack.endpoints["postgres_url"]
    with psycopg.connect(url, connect_timeout=5, row_factory=class_row(ImportSnapshot)) as connection:
        return connection.execute(SNAPSHOT_SQL, [names]).fetchall()


class Observer:
    """Thread that checks the imports in progress again and again, during every fault."""

    def __init__(self, workload: Workload) -> None:
        self._workload = workload
        self._last: dict[str, ImportSnapshot] = {}
        self._ended: set[str] = set()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="observer", daemon=True)
        self.snapshots = 0
        self.violations: list[str] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closing.wait(0.2):
            with suppress(OSError, psycopg.OperationalError):
                self._take_snapshots()

    def _take_snapshots(self) -> None:
        files = {file.name: file for file in [*self._workload.accepted.values(), *self._workload.unconfirmed.values()]}
        for current in snapshot_imports(self._workload.system, [name for name in files if name not in self._ended]):
            self.snapshots += 1
            try:
                current.assert_consistent(files[current.file_name])
                self._assert_monotonic(current)
            except AssertionError as error:
                self.violations.append(str(error))
            self._last[current.id] = current
            if current.state in FINAL_STATES:
                self._ended.add(current.file_name)

    def _assert_monotonic(self, current: ImportSnapshot) -> None:
        last = self._last.get(current.id)
        if last is not None:
            was = (last.bytes_read, last.rows_created, last.rows_failed, last.fence)
            now = (current.bytes_read, current.rows_created, current.rows_failed, current.fence)
            assert all(new >= old for old, new in zip(was, now, strict=True)), (last, current)
