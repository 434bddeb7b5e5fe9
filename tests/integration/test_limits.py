"""Limits of a task's values are the same by gRPC, by REST and in a file.

A value at the limit is stored exactly; a value over it is refused with the same reason on every path.
"""

from typing import Any, NamedTuple
from unicodedata import normalize

import grpc
from taskmanager.imports.v1 import import_service_pb2
from taskmanager.tasks.v1 import task_pb2, task_service_pb2

from tests.integration.task_service.calls import create, get
from tests.integration.task_service.import_calls import END, Worker, batch, upload
from tests.support.grpc_calls import expect_failure
from tests.support.rest import violations_in
from tests.support.texts import FAMILY, LONG, RIGHT_TO_LEFT

NOBODY = "0190b5a6-7f6e-7cc0-98d6-2f8a4b3c1d2e"
COLUMNS = ("title", "description", "status", "priority", "due_date", "labels", "external_id", "assignee")


class Case(NamedTuple):
    """Value of a field and the reason of its refusal, or None when it is stored exactly."""

    field: str
    value: Any
    reason: str | None = None


CASES = [
    *(Case(field, text) for field in ("title", "description") for text in (FAMILY, RIGHT_TO_LEFT)),
    *(Case("external_id", text) for text in (normalize("NFC", FAMILY), RIGHT_TO_LEFT)),
    Case("title", "😀" * 500),
    Case("title", "a" * 501, "TOO_LONG"),
    Case("title", " \t", "BLANK_TITLE"),
    Case("title", "\u200b\u2800\ufeff", "BLANK_TITLE"),
    Case("title", "\u3164\ufe0f", "BLANK_TITLE"),
    Case("title", "a\nb", "LINE_BREAK_IN_TITLE"),
    Case("title", "a\u2028b", "LINE_BREAK_IN_TITLE"),
    Case("title", "a\x85b", "LINE_BREAK_IN_TITLE"),
    Case("title", "a\vb", "LINE_BREAK_IN_TITLE"),
    Case("title", "a\0b", "FORBIDDEN_CHARACTER"),
    Case("title", "a\x7fb", "FORBIDDEN_CHARACTER"),
    Case("description", "😀" * 20_000),
    Case("description", "a" * 20_001, "TOO_LONG"),
    Case("description", " one\r\n\ttwo\n"),
    Case("description", "a\0b", "FORBIDDEN_CHARACTER"),
    Case("description", "a\x1bb", "FORBIDDEN_CHARACTER"),
    Case("due_date", "9999-12-31"),
    Case("due_date", "0001-01-01"),
    Case("due_date", "2026-02-29", "MALFORMED_DATE"),
    Case("due_date", "2026-13-01", "MALFORMED_DATE"),
    Case("due_date", "1" * 10_000, "MALFORMED_DATE"),
    Case("labels", ["😀" * 64, RIGHT_TO_LEFT]),
    Case("labels", ["a" * 65], "LABEL_TOO_LONG"),
    Case("labels", [str(number) for number in range(50)]),
    Case("labels", [str(number) for number in range(51)], "TOO_MANY_LABELS"),
    Case("labels", ["a\0b"], "FORBIDDEN_CHARACTER"),
    Case("external_id", "é" * 200),
    Case("external_id", "é" * 201, "TOO_LONG"),
    Case("external_id", "a\nb", "FORBIDDEN_CHARACTER"),
    Case("external_id", "a\0b", "FORBIDDEN_CHARACTER"),
]


def draft(case: Case) -> dict[str, Any]:
    return {"title": "x", case.field: case.value}


async def test_grpc_stores_a_value_exactly_or_refuses_it(system, sonu):
    for case in CASES:
        call = create(system, sonu, **draft(case))
        if case.reason:
            assert (await expect_failure(call)).violations == [(f"task.{case.field}", case.reason)], case
        else:
            stored = await get(system, sonu, (await call).id)
            assert getattr(stored, case.field) == case.value, case


async def test_rest_stores_a_value_exactly_or_refuses_it(rest):
    for case in CASES:
        response = await rest.post("/tasks", json=draft(case))
        if case.reason:
            assert violations_in(response) == [(case.field, case.reason)], case
        else:
            stored = (await rest.get(f"/tasks/{response.json()['id']}")).json()
            assert stored[case.field] == case.value, case


async def test_import_stores_a_value_exactly_or_refuses_it(system, sonu):
    worker = Worker(system, await system.new_service("imports:ingest"))
    rows = []
    cases = [*CASES, Case("assignee", "nobody", "UNKNOWN_ASSIGNEE"), Case("assignee", LONG, "UNKNOWN_ASSIGNEE")]
    for case in cases:
        cells = dict.fromkeys(COLUMNS, "") | draft(case)
        if case.field == "labels":
            cells["labels"] = ",".join(case.value)
        rows.append([cells[name] for name in COLUMNS])
    content = (",".join(COLUMNS) + "\n" + "x,,,,,,,\n" * len(rows)).encode()
    queued = await upload(system, sonu, content)
    lease = await worker.claim()
    assert lease is not None
    size = len(content) - len(",".join(COLUMNS)) - 1
    await worker.stream(lease, batch(lease.checkpoint, *rows, size=size), END)
    errors = await system.imports.ListImportErrors(
        import_service_pb2.ListImportErrorsRequest(import_id=queued.id, page_size=200), metadata=sonu.metadata
    )
    expected = [(error.record, error.column, error.code) for error in errors.errors]
    assert expected == [(number, case.field, case.reason) for number, case in enumerate(cases, 1) if case.reason]
    listed = await system.tasks.ListTasks(
        task_service_pb2.ListTasksRequest(import_id=queued.id, page_size=200, order_by="created_at"),
        metadata=sonu.metadata,
    )
    valid_cases = [case for case in cases if not case.reason]
    assert [getattr(task, case.field) for task, case in zip(listed.tasks, valid_cases, strict=True)] == [
        case.value for case in valid_cases
    ]


async def test_unknown_assignee_is_refused_on_every_path(system, sonu, rest):
    task = await create(system, sonu, title="x")
    wrong = {"title": "x", "assignee_id": NOBODY}
    single_violation, rest_violation = [("task.assignee_id", "UNKNOWN_ASSIGNEE")], [("assignee_id", "UNKNOWN_ASSIGNEE")]
    batch_violation = [("requests[1].task.assignee_id", "UNKNOWN_ASSIGNEE")]
    valid_request, invalid_request = [
        task_service_pb2.CreateTaskRequest(task=task_pb2.Task(title="x", assignee_id=assignee_id))
        for assignee_id in ("", NOBODY)
    ]
    assert (await expect_failure(create(system, sonu, **wrong))).violations == single_violation
    created = task_service_pb2.BatchCreateTasksRequest(requests=[valid_request, invalid_request])
    assert (
        await expect_failure(system.tasks.BatchCreateTasks(created, metadata=sonu.metadata))
    ).violations == batch_violation
    other_task = await create(system, sonu, title="y")
    changes = [
        task_service_pb2.UpdateTaskRequest(id=task.id, task=task_pb2.Task(title="z")),
        task_service_pb2.UpdateTaskRequest(id=other_task.id, task=task_pb2.Task(assignee_id=NOBODY)),
    ]
    changed = task_service_pb2.BatchUpdateTasksRequest(requests=changes)
    assert (
        await expect_failure(system.tasks.BatchUpdateTasks(changed, metadata=sonu.metadata))
    ).violations == batch_violation
    assert violations_in(await rest.post("/tasks", json=wrong)) == rest_violation
    assert violations_in(await rest.patch(f"/tasks/{task.id}", json={"assignee_id": NOBODY})) == rest_violation
    requests = {"requests": [{"task": {"title": "x"}}, {"task": wrong}]}
    assert violations_in(await rest.post("/tasks:batchCreate", json=requests)) == batch_violation
    assert (await get(system, sonu, task.id)).assignee_id == ""


async def test_oversized_batch_has_one_reason_on_every_path(system, sonu, rest):
    item = task_service_pb2.CreateTaskRequest(task=task_pb2.Task(title="x"))
    request = task_service_pb2.BatchCreateTasksRequest(requests=[item] * 101)
    expected = [("requests", "TOO_MANY_IN_BATCH")]
    assert (await expect_failure(system.tasks.BatchCreateTasks(request, metadata=sonu.metadata))).violations == expected
    for verb in ("batchCreate", "batchUpdate", "batchDelete"):
        assert violations_in(await rest.post(f"/tasks:{verb}", json={"requests": [{}] * 101})) == expected


async def test_at_most_fifty_violations_are_reported(system, sonu, rest):
    wrong = task_service_pb2.CreateTaskRequest(task=task_pb2.Task(title=" ", due_date="soon"))
    request = task_service_pb2.BatchCreateTasksRequest(requests=[wrong] * 100)
    code, _, violations = await expect_failure(system.tasks.BatchCreateTasks(request, metadata=sonu.metadata))
    fields = [f"requests[{number}].task.{name}" for number in range(25) for name in ("title", "due_date")]
    assert (code, [field for field, _ in violations]) == (grpc.StatusCode.INVALID_ARGUMENT, fields)
    body = {"requests": [{"task": {"title": " ", "due_date": "soon"}}] * 100}
    assert [field for field, _ in violations_in(await rest.post("/tasks:batchCreate", json=body))] == fields
    unknown = {f"unknown_{number}": 1 for number in range(1000)}
    assert len(violations_in(await rest.post("/tasks", json={"title": "x", **unknown}))) == 50


async def test_rest_refuses_control_character_in_file_name(rest):
    url, content = "/imports?file_name=a%00b.csv", b"title\nx\n"
    response = await rest.post(url, content=content, headers={"content-type": "text/csv"})
    assert (response.status_code, violations_in(response)) == (400, [("file_name", "CONTROL_CHARACTER_IN_FILE_NAME")])
