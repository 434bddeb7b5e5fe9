"""What is exported can be imported, and makes the same tasks: through the services and the worker's own job."""

import asyncio
import secrets
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from taskmanager.auth.v1 import auth_service_pb2
from taskmanager.imports.v1 import import_pb2, import_service_pb2
from taskmanager.tasks.v1 import task_pb2, task_service_pb2

from import_worker.bootstrap import build_run
from import_worker.settings import ImportWorkerSettings
from task_service.tasks.domain.task import TaskDraft
from tests.integration.conftest import PASSWORD, Person, System, new_credential

NAMES = ("sonu", "=Mina", "-o, 'Hara", '@"Ödön"', "'+49")
FULL_WIDTH = "\uff1d\uff0b\uff0d\uff20"
NASTY = FULL_WIDTH + "'\"\\,;|=+-@\t\r\n \x85\u2028\xa0\ufeffé"
EMOJI = "\N{GRINNING FACE}\N{FAMILY}\N{ZERO WIDTH JOINER}\N{WOMAN}"
CHARACTERS = st.one_of(st.sampled_from(NASTY), st.sampled_from(EMOJI), st.characters(codec="utf-8"))
TEXT = st.text(CHARACTERS, max_size=12)


def acceptable(fields: dict[str, Any]) -> bool:
    """Whether the rules take it: what they refuse can't be in any export."""
    try:
        TaskDraft(fields["title"], fields["description"], labels=tuple(fields["labels"])).checked()
    except Exception:  # noqa: BLE001 - whatever it is that is wrong
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
).filter(acceptable)


def plainly(**fields: Any) -> dict[str, Any]:
    default = {"description": "", "status": 1, "priority": 0, "due_date": "", "labels": []}
    return default | {"assignee": None, "has_external_id": False} | fields


class Desk:
    """Somebody who exports, somebody who imports, and a worker."""

    def __init__(self, system: System, whose: Person, other: Person, ids: dict[str, str], credential: str) -> None:
        self._system = system
        self._whose = whose
        self._other = other
        self._ids = ids
        worker = ImportWorkerSettings(
            redis_url=SecretStr("redis://unused"),
            tasks_target=system.tasks_target,
            auth_target=system.auth_target,
            auth_credential=SecretStr(credential),
            batch_rows=7,
        )
        self._work = build_run(worker, stopping=lambda: False)

    async def round_trip(self, drafts: list[dict[str, Any]]) -> tuple[list[task_pb2.Task], list[task_pb2.Task]]:
        """Tasks as they were made, and what came of their export, in the same order."""
        owner, label = self._whose, secrets.token_hex(8)
        requests = [task_service_pb2.CreateTaskRequest(task=self._task(draft, label)) for draft in drafts]
        made = await self._system.tasks.BatchCreateTasks(
            task_service_pb2.BatchCreateTasksRequest(requests=requests), metadata=owner.metadata
        )
        request = task_service_pb2.ExportTasksRequest(labels_any=[label], order_by="created_at", owner_id=owner.id)
        pieces = [piece.data async for piece in self._system.tasks.ExportTasks(request, metadata=owner.metadata)]
        queued = await self._system.imports.UploadImport(_upload(b"".join(pieces)), metadata=self._other.metadata)
        await asyncio.to_thread(self._work)
        done = await self._system.imports.GetImport(
            import_service_pb2.GetImportRequest(id=queued.id), metadata=self._other.metadata
        )
        assert (done.state, done.rows_failed) == (import_pb2.Import.STATE_SUCCEEDED, 0), done
        listed = await self._system.tasks.ListTasks(
            task_service_pb2.ListTasksRequest(import_id=queued.id, order_by="created_at", page_size=200),
            metadata=self._other.metadata,
        )
        return list(made.tasks), list(listed.tasks)

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


async def _upload(data: bytes):
    request = import_service_pb2.UploadImportRequest
    yield request(options=import_service_pb2.UploadOptions(allow_same_file=True))
    for begin in range(0, len(data), 1024):
        yield request(chunk=data[begin : begin + 1024])
    yield request(finish=import_service_pb2.UploadFinish(size=len(data)))


@pytest.fixture
async def desk(system: System) -> Desk:
    ids = {}
    for number, name in enumerate(NAMES):
        account = auth_service_pb2.RegisterRequest(username=name, email=f"n{number}@example.com", password=PASSWORD)
        ids[name] = (await system.auth.Register(account)).id
    credential = await new_credential(system.use_cases, "import_worker", "imports:ingest")
    return Desk(system, await system.person("from"), await system.person("to"), ids, credential)


def values_of(task: task_pb2.Task) -> tuple[Any, ...]:
    names = ("title", "description", "status", "priority", "due_date", "external_id", "assignee_id")
    return (*(getattr(task, name) for name in names), list(task.labels))


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(drafts=st.lists(TASKS, min_size=1, max_size=20))
@example(
    [
        plainly(title=f"{mark}1+1", description=f"{mark}\r\n{mark}", labels=[f"{mark}a", "b"], has_external_id=True)
        for mark in "=+-@'\"" + FULL_WIDTH
    ]
    + [
        plainly(title=f"'{mark}x", description=f"''{mark}", labels=[f"'{mark}a"], has_external_id=True)
        for mark in "=+-@'\"" + FULL_WIDTH
    ]
    + [plainly(title="x", description=mark) for mark in ("\t", "\r", "\n=", "'\n=", "'\t", "'\r", " ", '"', "\r\n")]
)
async def test_what_was_exported_and_imported_is_the_same(desk, drafts):
    made, come_back = await desk.round_trip(drafts)
    assert [values_of(task) for task in come_back] == [values_of(task) for task in made]
