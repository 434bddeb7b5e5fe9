"""An export can be imported and gives the same tasks, through the services and the worker's own code."""

import codecs
import csv
import io
import re
import secrets
from collections.abc import Callable, Mapping
from datetime import date
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from taskmanager.auth.v1 import auth_service_pb2
from taskmanager.imports.v1 import import_pb2, import_service_pb2
from taskmanager.tasks.v1 import task_pb2, task_service_pb2

from import_worker.bootstrap import open_worker
from import_worker.settings import ImportWorkerSettings
from task_service.tasks.domain.task import TaskDraft
from tests.support.system import PASSWORD, Principal, System, new_credential

NAMES = ("sonu", "=Mina", "-o, 'Hara", '@"Ödön"', "'+49")
FULL_WIDTH = "\uff1d\uff0b\uff0d\uff20"
SPECIAL = FULL_WIDTH + "'\"\\,;|=+-@\t\r\n \x85\u2028\xa0\ufeffé"
EMOJI = "\N{GRINNING FACE}\N{FAMILY}\N{ZERO WIDTH JOINER}\N{WOMAN}"
CHARACTERS = st.one_of(st.sampled_from(SPECIAL), st.sampled_from(EMOJI), st.characters(codec="utf-8"))
TEXT = st.text(CHARACTERS, max_size=12)


def is_valid(fields: dict[str, Any]) -> bool:
    """Check the task rules: an export holds only valid tasks."""
    try:
        TaskDraft(fields["title"], fields["description"], labels=tuple(fields["labels"])).validate()
    except Exception:  # noqa: BLE001 - any error means invalid
        return False
    return True


TASKS = st.fixed_dictionaries(
    {
        "title": TEXT,
        "description": TEXT,
        "status": st.integers(1, 4),
        "priority": st.integers(0, 5),
        "due_date": st.one_of(st.just(""), st.dates().map(str)),
        "labels": st.lists(TEXT.filter(lambda label: bool(label.strip())), max_size=3),
        "assignee": st.one_of(st.none(), st.sampled_from(NAMES)),
        "has_external_id": st.booleans(),
    }
).filter(is_valid)


def draft_of(**fields: Any) -> dict[str, Any]:
    default = {"description": "", "status": 1, "priority": 0, "due_date": "", "labels": []}
    return default | {"assignee": None, "has_external_id": False} | fields


class RoundTrip:
    """A user who exports, a user who imports, and a worker."""

    def __init__(
        self, system: System, exporter: Principal, importer: Principal, ids: dict[str, str], credential: str
    ) -> None:
        self._system = system
        self._exporter = exporter
        self._importer = importer
        self._ids = ids
        self._worker_settings = ImportWorkerSettings(
            redis_url=SecretStr("redis://unused"),
            tasks_target=system.tasks_target,
            auth_target=system.auth_target,
            auth_credential=SecretStr(credential),
            max_batch_rows=7,
        )

    async def run(
        self,
        drafts: list[dict[str, Any]],
        save: Callable[[bytes], bytes] = bytes,
        upload_options: Mapping[str, Any] = MappingProxyType({}),
        **export_format: Any,
    ) -> tuple[list[task_pb2.Task], list[task_pb2.Task]]:
        """Create tasks, export and import them; return the created and the imported tasks in the same order.

        `save` changes the file in between, as another program does.
        """
        owner, label = self._exporter, secrets.token_hex(8)
        requests = [task_service_pb2.CreateTaskRequest(task=self._task(draft, label)) for draft in drafts]
        created = await self._system.tasks.BatchCreateTasks(
            task_service_pb2.BatchCreateTasksRequest(requests=requests), metadata=owner.metadata
        )
        request = task_service_pb2.ExportTasksRequest(
            labels_any=[label], order_by="created_at", owner_id=owner.id, **export_format
        )
        pieces = [piece.data async for piece in self._system.tasks.ExportTasks(request, metadata=owner.metadata)]
        messages = _upload(save(b"".join(pieces)), upload_options)
        queued = await self._system.imports.UploadImport(messages, metadata=self._importer.metadata)
        async with open_worker(self._worker_settings, is_stopping=lambda: False) as process_queue:
            await process_queue()
        done = await self._system.imports.GetImport(
            import_service_pb2.GetImportRequest(id=queued.id), metadata=self._importer.metadata
        )
        assert (done.state, done.rows_failed) == (import_pb2.Import.STATE_SUCCEEDED, 0), done
        assert done.rows_read == len(drafts)
        listed = await self._system.tasks.ListTasks(
            task_service_pb2.ListTasksRequest(import_id=queued.id, order_by="created_at", page_size=200),
            metadata=self._importer.metadata,
        )
        return list(created.tasks), list(listed.tasks)

    def _task(self, draft: dict[str, Any], label: str) -> task_pb2.Task:
        return task_pb2.Task(
            title=draft["title"],
            description=draft["description"],
            status=draft["status"],
            priority=draft["priority"],
            due_date=draft["due_date"],
            labels=[*draft["labels"], label],
            external_id=f"{draft['title'][:2].strip()}{secrets.token_hex(6)}" if draft["has_external_id"] else "",
            assignee_id=self._ids[draft["assignee"]] if draft["assignee"] else "",
        )


async def _upload(data: bytes, options: Mapping[str, Any]):
    request = import_service_pb2.UploadImportRequest
    yield request(options=import_service_pb2.UploadOptions(allow_same_file=True, **options))
    for begin in range(0, len(data), 1024):
        yield request(chunk=data[begin : begin + 1024])
    yield request(finish=import_service_pb2.UploadFinish(size=len(data)))


@pytest.fixture
async def round_trip(system: System) -> RoundTrip:
    ids = {}
    for number, name in enumerate(NAMES):
        account = auth_service_pb2.RegisterRequest(username=name, email=f"n{number}@example.com", password=PASSWORD)
        ids[name] = (await system.auth.Register(account)).id
    credential = await new_credential(system.use_cases, "import_worker", "imports:ingest")
    return RoundTrip(system, await system.new_user("from"), await system.new_user("to"), ids, credential)


def values_of(task: task_pb2.Task) -> tuple[Any, ...]:
    names = ("title", "description", "status", "priority", "due_date", "external_id", "assignee_id")
    return (*(getattr(task, name) for name in names), list(task.labels))


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(drafts=st.lists(TASKS, min_size=1, max_size=20))
@example(
    [
        draft_of(title=f"{mark}1+1", description=f"{mark}\r\n{mark}", labels=[f"{mark}a", "b"], has_external_id=True)
        for mark in "=+-@'\"" + FULL_WIDTH
    ]
    + [
        draft_of(title=f"'{mark}x", description=f"''{mark}", labels=[f"'{mark}a"], has_external_id=True)
        for mark in "=+-@'\"" + FULL_WIDTH
    ]
    + [draft_of(title="x", description=mark) for mark in ("\t", "\r", "\n=", "'\n=", "'\t", "'\r", " ", '"', "\r\n")]
)
async def test_export_then_import_round_trips(round_trip, drafts):
    created, imported = await round_trip.run(drafts)
    assert [values_of(task) for task in imported] == [values_of(task) for task in created]


US_DATE, GERMAN_DATE = "{month}/{day}/{year}", "{day:02}.{month:02}.{year}"
US_ORDER = {"date_order": import_service_pb2.UploadOptions.DATE_ORDER_MDY}


def excel(separator: str, encoding: str, date_format: str) -> Callable[[bytes], bytes]:
    """Return a function that opens a CSV file and saves it as Excel does.

    Excel keeps apostrophes of CSV cells as text. It quotes only cells with a separator, a quote or a line break, ends
    lines with CRLF, and writes the cells of every row and column that were ever in use. It writes dates in the format
    of its locale.
    """

    def shown(cell: str) -> str:
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", cell):
            return cell
        day = date.fromisoformat(cell)
        return date_format.format(day=day.day, month=day.month, year=day.year)

    def quoted(cell: str) -> str:
        needs_quotes = any(character in cell for character in (separator, '"', "\n"))
        return '"' + cell.replace('"', '""') + '"' if needs_quotes else cell

    def save(data: bytes) -> bytes:
        text = data.decode("utf-8-sig")
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=";" if text.startswith("title;") else ","))
        width = len(rows[0]) + 2
        table = [[*map(shown, row), *[""] * (width - len(row))] for row in (*rows, [], [])]
        table[2:2] = [[""] * width]  # a row that the user emptied
        lines = [separator.join(map(quoted, row)) for row in table]
        mark = {"utf-8": codecs.BOM_UTF8, "utf-16-le": codecs.BOM_UTF16_LE}.get(encoding, b"")
        return mark + "".join(f"{line}\r\n" for line in lines).encode(encoding)

    return save


@pytest.mark.parametrize(
    ("separator", "encoding", "date_format", "options"),
    [
        (",", "utf-8", US_DATE, US_ORDER),  # CSV UTF-8 in the US
        (";", "utf-8", GERMAN_DATE, {}),  # CSV UTF-8 in Germany
        (",", "cp1252", US_DATE, {"encoding": "iso-8859-1", **US_ORDER}),  # CSV
        (";", "cp1252", GERMAN_DATE, {"encoding": "windows-1252"}),
        ("\t", "utf-16-le", GERMAN_DATE, {}),  # Unicode text
    ],
)
@pytest.mark.parametrize("delimiter", [",", ";"])
async def test_export_saved_by_excel_round_trips(round_trip, separator, encoding, date_format, options, delimiter):
    """A date in the format of the US needs the option date_order, and one in the format of Germany needs none."""
    drafts = [
        draft_of(title=f"{mark}1+1", description=f"{mark}x\n{mark}", labels=[f"{mark}a", "b c"], has_external_id=True)
        for mark in "=+-@'\""
    ]
    drafts += [draft_of(title=f"'{mark}x", description=f"''{mark}", has_external_id=True) for mark in "=+-@'\""]
    drafts += [
        draft_of(
            title='Zoë\u2019s café, or; say "hi" | twice', description="line 1\n\nline 2 € „ä“", labels=["büro", "x"]
        ),
        draft_of(title="'tis", description="\n=1", status=3, priority=4, assignee="=Mina"),
        draft_of(title="x", description=" ; "),
        *(draft_of(title="x", due_date=due_date) for due_date in ("2026-12-31", "2027-01-05", "2026-10-11")),
    ]
    save = excel(separator, encoding, date_format)
    created, imported = await round_trip.run(drafts, save, options, bom=True, delimiter=delimiter)
    assert [values_of(task) for task in imported] == [values_of(task) for task in created]
