"""A row through CSV and the same row through CreateTask meet the same rules."""

import asyncio

from taskmanager.imports.v1 import import_service_pb2
from taskmanager.tasks.v1 import task_pb2, task_service_pb2

from tests.integration.task_service.calls import create
from tests.integration.task_service.import_calls import END, batch, get, upload
from tests.support.grpc_calls import expect_failure

HEADER = b"title,labels,external_id,assignee\n"


async def imported(system, person, worker, *rows: list[str]):
    """The import, its tasks in the order of the file and its errors as (line, column, code, value)."""
    queued = await upload(system, person, HEADER + b"x,,,\n" * len(rows))
    lease = await worker.claim()
    await worker.stream(lease, batch(lease.checkpoint, *rows, size=5 * len(rows)), END)
    request = task_service_pb2.ListTasksRequest(import_id=queued.id)
    tasks = (await system.tasks.ListTasks(request, metadata=person.metadata)).tasks
    asked = import_service_pb2.ListImportErrorsRequest(import_id=queued.id)
    errors = (await system.imports.ListImportErrors(asked, metadata=person.metadata)).errors
    return (
        await get(system, person, queued.id),
        list(tasks)[::-1],
        [(error.line, error.column, error.code, error.value) for error in errors],
    )


async def test_a_row_brings_labels_an_external_id_and_an_assignee(system, worker):
    sonu, mina = await system.new_user("sonu"), await system.new_user("mina")
    rows = ["x", " a, b ,a,", "A-1", "MINA"], ["y", "", "", ""]
    found, (first, second), errors = await imported(system, sonu, worker, *rows)
    assert (found.rows_created, errors) == (2, [])
    assert (first.labels, first.external_id, first.assignee_id) == (["a", "b"], "A-1", mina.id)
    assert (second.labels, second.external_id, second.assignee_id) == ([], "", "")
    made = await create(system, sonu, title="x", labels=["a", "b"], external_id="A-2", assignee_id=mina.id)
    for field in (
        "owner_id",
        "title",
        "description",
        "status",
        "priority",
        "due_date",
        "labels",
        "assignee_id",
        "etag",
    ):
        assert getattr(first, field) == getattr(made, field)


async def test_what_create_refuses_is_a_row_error_of_the_same_code(system, worker):
    sonu = await system.new_user("sonu")
    await create(system, sonu, title="x", external_id="A-1")
    long = "a" * 65
    rows = (
        ["x", long, "", ""],
        ["x", ",".join(map(str, range(51))), "", ""],
        ["x", "", "A-1", ""],
        ["x", "", "B-1", ""],
        ["x", "", "B-1", ""],
        ["x", "", "e" * 201, ""],
        ["x", "", "", "nobody"],
        ["x", "", "", "no\0body"],
    )
    found, _, errors = await imported(system, sonu, worker, *rows)
    assert (found.rows_created, found.rows_failed) == (1, 7)
    assert [(line, column, code) for line, column, code, _ in errors] == [
        (2, "labels", "LABEL_TOO_LONG"),
        (3, "labels", "TOO_MANY_LABELS"),
        (4, "external_id", "EXTERNAL_ID_TAKEN"),
        (6, "external_id", "EXTERNAL_ID_TAKEN"),
        (7, "external_id", "TOO_LONG"),
        (8, "assignee", "UNKNOWN_ASSIGNEE"),
        (9, "assignee", "UNKNOWN_ASSIGNEE"),
    ]
    for fields, code in (
        ({"labels": [long]}, "LABEL_TOO_LONG"),
        ({"labels": map(str, range(51))}, "TOO_MANY_LABELS"),
        ({"external_id": "A-1"}, "EXTERNAL_ID_TAKEN"),
        ({"external_id": "e" * 201}, "TOO_LONG"),
    ):
        assert (await expect_failure(create(system, sonu, title="x", **fields)))[1] == code


async def test_what_an_export_neutralised_is_looked_up_as_it_was(system, worker):
    sonu, plus = await system.new_user("sonu"), await system.new_user("+plus")
    await create(system, sonu, title="x", external_id="=A")
    rows = ["x", "", "'=A", ""], ["y", "'-1,b", "'=B", "'+plus"]
    found, (made,), errors = await imported(system, sonu, worker, *rows)
    assert (found.rows_created, found.rows_failed) == (1, 1)
    assert errors == [(2, "external_id", "EXTERNAL_ID_TAKEN", "'=A")]
    assert (made.labels, made.external_id, made.assignee_id) == (["-1", "b"], "=B", plus.id)


async def test_external_id_conflict_fails_the_row_not_the_batch(system, worker):
    sonu = await system.new_user("sonu")
    queued = await upload(system, sonu, HEADER + b"x,,,\n" * 300)
    lease = await worker.claim()
    rows = [["x", "", f"E-{number}", ""] for number in range(300)]
    _, *made = await asyncio.gather(
        worker.stream(lease, batch(lease.checkpoint, *rows, size=1500), END),
        *(create(system, sonu, title="y", external_id=f"E-{number}") for number in range(0, 300, 10)),
        return_exceptions=True,
    )
    created = sum(isinstance(answer, task_pb2.Task) for answer in made)
    done = await get(system, sonu, queued.id)
    assert done.rows_failed == created
    assert done.rows_created + created == 300
