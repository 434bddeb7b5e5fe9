"""Files of the tools that are sources, imported as they are; and their errors.csv, corrected."""

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from taskmanager.imports.v1 import import_pb2, import_service_pb2
from taskmanager.tasks.v1 import task_pb2, task_service_pb2

from tests.integration.source_cases import CASES_OF_SOURCES, Case, Expected, Options

CASES = Path(__file__).parents[1] / "cases" / "csv"
LEAVE_EMPTY = Options.ON_UNKNOWN_ASSIGNEE_LEAVE_EMPTY


@pytest.fixture
async def users(system) -> dict[str, str]:
    """Usernames by the ids of ann and ben, whose emails are ann@example.com and ben@example.com."""
    return {(await system.new_user(name)).id: name for name in ("ann", "ben")}


async def tasks_of(system, user, done: import_pb2.Import, users: dict[str, str]) -> Sequence[Expected]:
    request = task_service_pb2.ListTasksRequest(import_id=done.id, order_by="created_at", page_size=200)
    tasks = (await system.tasks.ListTasks(request, metadata=user.metadata)).tasks
    return [_expected(task, users, imported_at=done.created_at.seconds) for task in tasks]


def _expected(task: task_pb2.Task, users: dict[str, str], *, imported_at: int) -> Expected:
    is_given = task.HasField("completed_at") and task.completed_at.seconds < imported_at
    return Expected(
        task.title,
        task_pb2.Task.Status.Name(task.status).removeprefix("STATUS_"),
        task_pb2.Task.Priority.Name(task.priority).removeprefix("PRIORITY_"),
        task.due_date,
        tuple(sorted(task.labels)),
        users.get(task.assignee_id, ""),
        task.external_id,
        task.completed_at.ToDatetime().date().isoformat() if is_given else "",
    )


def _sorted_labels(tasks: Sequence[Expected]) -> Sequence[Expected]:
    return [task._replace(labels=tuple(sorted(task.labels))) for task in tasks]


def _name(case: Case) -> str:
    return case.file + "".join(f"-{name}" for name in case.options)


@pytest.mark.parametrize("case", CASES_OF_SOURCES, ids=_name)
async def test_file_of_a_tool_comes_in_as_it_is(system, import_file, users, case):
    sonu = await system.login("sonu@example.com")
    data = (CASES / f"{case.file}.csv").read_bytes()
    done, _ = await import_file(data, on_unknown_assignee=LEAVE_EMPTY, **case.options)
    assert (done.state, done.source_detected) == (import_pb2.Import.STATE_SUCCEEDED, case.source)
    assert await tasks_of(system, sonu, done, users) == _sorted_labels(case.tasks)
    assert (done.rows_failed, done.rows_skipped) == (case.failed, case.skipped)
    unused = [f"The column {column!r} is not used." for column in case.unused]
    assert [warning for warning in done.warnings if "not used" in warning] == unused


@pytest.mark.parametrize("case", CASES_OF_SOURCES, ids=_name)
async def test_corrected_errors_csv_comes_in(system, import_file, users, case):
    """Every row is rejected at first. The corrected errors.csv needs no option but the id of the first import."""
    sonu = await system.login("sonu@example.com")
    broken = (CASES / f"{case.file}.csv").read_bytes().decode()
    for task in case.tasks:
        title = re.escape(task.title).replace("=1", "'=1")
        broken = re.sub(rf"(?<=[,;\t\n\"]){title}", lambda found: f"{found[0]}\ufffd", broken, count=1)
    first, _ = await import_file(broken.encode(), on_unknown_assignee=LEAVE_EMPTY, **case.options)
    # The note in the file of Todoist is rejected with its task.
    notes = 1 if case.file == "todoist_export" else 0
    assert (first.rows_created, first.rows_failed) == (0, len(case.tasks) + case.failed + notes)
    request = import_service_pb2.DownloadImportErrorsRequest(import_id=first.id)
    parts = [part.data async for part in system.imports.DownloadImportErrors(request, metadata=sonu.metadata)]
    corrected = b"".join(parts).replace("\ufffd".encode(), b"")
    done, _ = await import_file(corrected, options_from=first.id)
    assert done.options.source == case.source
    assert await tasks_of(system, sonu, done, users) == _sorted_labels(case.tasks)
