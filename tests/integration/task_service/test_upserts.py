"""Upserts by external_id: each creates or changes a task; all of a batch, or none."""

import asyncio
from typing import Any

import grpc
import psycopg
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from taskmanager.tasks.v1 import task_pb2, task_service_pb2

from tests.integration.task_service.calls import actions_of, create, delete, get, list_ids
from tests.support.grpc_calls import expect_failure
from tests.support.rest import error_details, violations_in
from tests.support.waiting import until

INVALID = grpc.StatusCode.INVALID_ARGUMENT
WAITING_INSERTS = "SELECT count(*) FROM pg_locks WHERE locktype = 'transactionid' AND NOT granted"
NOBODY = "0190b5a6-7f6e-7cc0-98d6-2f8a4b3c1d2e"


def upsert_request(*, mask: tuple[str, ...] = (), **fields: Any) -> task_service_pb2.UpsertTaskRequest:
    return task_service_pb2.UpsertTaskRequest(task=task_pb2.Task(**fields), update_mask=FieldMask(paths=mask))


def send(system, person, *requests: task_service_pb2.UpsertTaskRequest, key: str = ""):
    batch = task_service_pb2.BatchUpsertTasksRequest(requests=requests, idempotency_key=key)
    return system.tasks.BatchUpsertTasks(batch, metadata=person.metadata)


async def upsert(system, person, *requests: task_service_pb2.UpsertTaskRequest, key: str = ""):
    """Return the outcomes and the tasks."""
    results = (await send(system, person, *requests, key=key)).results
    name = task_service_pb2.UpsertResult.Outcome.Name
    outcomes = [name(result.outcome).removeprefix("OUTCOME_").lower() for result in results]
    return outcomes, [result.task for result in results]


async def test_upsert_creates_updates_or_leaves_each_task(system, sonu):
    same = await create(system, sonu, title="same", external_id="A-1", description="d")
    old = await create(system, sonu, title="old", external_id="A-2", labels=["a"])
    outcomes, tasks = await upsert(
        system,
        sonu,
        upsert_request(external_id="A-3", title="created", priority=task_pb2.Task.PRIORITY_HIGH),
        upsert_request(external_id="A-2", title="new"),
        upsert_request(external_id="A-1", title="same"),
    )
    assert outcomes == ["created", "updated", "unchanged"]
    assert [task.title for task in tasks] == ["created", "new", "same"]
    assert [await get(system, sonu, task.id) for task in tasks] == tasks
    assert (tasks[1].id, list(tasks[1].labels)) == (old.id, ["a"])
    assert tasks[2] == same
    assert (tasks[0].owner_id, tasks[0].priority) == (sonu.id, task_pb2.Task.PRIORITY_HIGH)
    assert [await actions_of(system, sonu, task.id) for task in tasks] == [
        ["created"],
        ["created", "updated"],
        ["created"],
    ]


async def test_upsert_over_rest_writes_the_keys_of_each_task(system, sonu, rest):
    admin = await system.new_admin()
    task = {"external_id": "e\u0301", "title": "x", "due_date": "2026-03-31", "labels": ["a"], "owner_id": sonu.id}
    created = await rest.post("/tasks:batchUpsert", json={"requests": [{"task": task}]})
    assert created.status_code == 200, created.text
    [result] = created.json()["results"]
    assert result["outcome"] == "created"
    assert result["task"] == (await rest.get(f"/tasks/{result['task']['id']}")).json()
    changes = {"external_id": "\u00e9", "due_date": None, "status": "completed", "etag": result["task"]["etag"]}
    updated = await rest.post("/tasks:batchUpsert", json={"requests": [{"task": changes}]})
    [changed] = updated.json()["results"]
    expected = {"due_date": "", "status": "completed", "labels": ["a"], "external_id": "\u00e9", "title": "x"}
    assert changed["outcome"] == "updated"
    assert {name: changed["task"][name] for name in expected} == expected
    again = await rest.post("/tasks:batchUpsert", json={"requests": [{"task": {**changes, "etag": ""}}]})
    assert again.json() == {"results": [{"outcome": "unchanged", "task": changed["task"]}]}
    assert await list_ids(system, admin, owner_id="-") == [changed["task"]["id"]]


async def test_mask_limits_what_an_upsert_changes(system, sonu):
    task = await create(system, sonu, title="x", external_id="A-1", description="d", labels=["a"])
    fields: dict[str, Any] = {"external_id": "A-1", "title": "y", "priority": task_pb2.Task.PRIORITY_LOW}
    _, [changed] = await upsert(system, sonu, upsert_request(**fields, mask=("priority", "description")))
    assert (changed.title, changed.description, changed.priority) == ("x", "", task_pb2.Task.PRIORITY_LOW)
    only_key = upsert_request(**fields, mask=("external_id",))
    assert await upsert(system, sonu, only_key) == (["unchanged"], [changed])
    _, [replaced] = await upsert(system, sonu, upsert_request(**fields, mask=("*",)))
    assert (replaced.id, replaced.title, list(replaced.labels)) == (task.id, "y", [])
    _, [created] = await upsert(system, sonu, upsert_request(**{**fields, "external_id": "A-2"}, mask=("labels",)))
    assert (created.title, created.priority) == ("y", task_pb2.Task.PRIORITY_LOW)
    read_only = upsert_request(**fields, mask=("created_at", "colour"))
    assert (await expect_failure(send(system, sonu, read_only))).violations == [
        ("requests[0].update_mask", "UNKNOWN_FIELD"),
        ("requests[0].task.created_at", "READ_ONLY_FIELD"),
    ]


async def test_upsert_errors_name_their_request(system, sonu, rest):
    """All invalid requests are reported together, and nothing is written."""
    existing = await create(system, sonu, title="x", external_id="A-1")
    requests = [
        upsert_request(external_id="A-1", status=task_pb2.Task.STATUS_COMPLETED),
        upsert_request(title="no key"),
        upsert_request(external_id=" ", title=" "),
        upsert_request(external_id="a" * 201, due_date="soon", owner_id="x"),
        upsert_request(external_id="A-2", title="x", assignee_id=NOBODY),
    ]
    expected = [
        ("requests[1].task.external_id", "EXTERNAL_ID_REQUIRED"),
        ("requests[2].task.external_id", "EXTERNAL_ID_REQUIRED"),
        ("requests[2].task.title", "BLANK_TITLE"),
        ("requests[3].task.due_date", "MALFORMED_DATE"),
        ("requests[3].task.external_id", "TOO_LONG"),
        ("requests[3].task.owner_id", "MALFORMED_ID"),
        ("requests[4].task.assignee_id", "UNKNOWN_ASSIGNEE"),
    ]
    failure = await expect_failure(send(system, sonu, *requests))
    assert (failure.code, failure.violations) == (INVALID, expected)
    body = {"requests": [{"task": {"title": "no key"}}, {"task": {"external_id": "A-3", "title": "y"}}, {}]}
    assert violations_in(await rest.post("/tasks:batchUpsert", json=body)) == [
        ("requests[0].task.external_id", "EXTERNAL_ID_REQUIRED"),
        ("requests[2].task.external_id", "EXTERNAL_ID_REQUIRED"),
    ]
    assert await get(system, sonu, existing.id) == existing
    assert await list_ids(system, sonu) == [existing.id]


async def test_only_a_new_task_needs_a_title(system, sonu):
    existing = await create(system, sonu, title="x", external_id="A-1")
    requests = [upsert_request(external_id=f"A-{number}", description="d") for number in (1, 2, 3)]
    assert (await expect_failure(send(system, sonu, *requests))).violations == [
        ("requests[1].task.title", "BLANK_TITLE"),
        ("requests[2].task.title", "BLANK_TITLE"),
    ]
    assert await get(system, sonu, existing.id) == existing
    assert (await upsert(system, sonu, requests[0]))[0] == ["updated"]


async def test_two_upserts_of_one_task_are_refused(system, sonu, rest):
    admin = await system.new_admin()
    keys = ["\u00e9", "A-1", "e\u0301 "]
    expected = [
        ("requests[0].task.external_id", "DUPLICATE_IN_BATCH"),
        ("requests[2].task.external_id", "DUPLICATE_IN_BATCH"),
    ]
    failure = await expect_failure(send(system, sonu, *(upsert_request(external_id=key, title="x") for key in keys)))
    assert (failure.code, failure.violations) == (INVALID, expected)
    body = {"requests": [{"task": {"external_id": key, "title": "x"}} for key in keys]}
    assert violations_in(await rest.post("/tasks:batchUpsert", json=body)) == expected
    # Two owners may have the same external_id.
    outcomes, _ = await upsert(
        system,
        admin,
        upsert_request(external_id="A-1", title="x"),
        upsert_request(external_id="A-1", title="x", owner_id=sonu.id),
    )
    assert outcomes == ["created", "created"]


async def test_upsert_ignores_deleted_and_foreign_tasks(system, sonu):
    mina = await system.new_user("mina")
    deleted = await create(system, sonu, title="deleted", external_id="A-1")
    await delete(system, sonu, deleted.id)
    hers = await create(system, mina, title="hers", external_id="A-1", assignee_id=sonu.id)
    outcomes, [task] = await upsert(system, sonu, upsert_request(external_id="A-1", title="new"))
    assert outcomes == ["created"]
    assert task.id not in {deleted.id, hers.id}
    assert await get(system, mina, hers.id) == hers


async def test_owner_of_an_upsert_is_limited_as_in_create(system, sonu):
    """Managers, admins and services upsert the tasks of any owner; a service must name one."""
    mina, service = await system.new_user("mina"), await system.new_service("tasks:write")
    task = await create(system, sonu, title="x", external_id="A-1")
    other = upsert_request(external_id="A-1", title="y", owner_id=sonu.id)
    assert await expect_failure(send(system, mina, upsert_request(external_id="A-9", title="x"), other)) == (
        grpc.StatusCode.PERMISSION_DENIED,
        "OWNER_NOT_YOURS",
        [("requests[1].task.owner_id", "OWNER_NOT_YOURS")],
    )
    assert (await expect_failure(send(system, service, upsert_request(external_id="A-1", title="y")))).violations == [
        ("requests[0].task.owner_id", "OWNER_REQUIRED")
    ]
    outcomes, [changed] = await upsert(system, service, other)
    assert (outcomes, changed.id, changed.title) == (["updated"], task.id, "y")
    assert await list_ids(system, mina) == []


async def test_etag_is_a_precondition_of_an_upsert(system, sonu, rest):
    task = await create(system, sonu, title="x", external_id="A-1")
    stale = upsert_request(external_id="A-1", title="y", etag="99")
    first = upsert_request(external_id="A-0", title="y")
    assert await expect_failure(send(system, sonu, first, stale)) == (
        grpc.StatusCode.ABORTED,
        "ETAG_MISMATCH",
        [("requests[1].task.etag", "ETAG_MISMATCH")],
    )
    gone = {"requests": [{"task": {"external_id": "A-2", "title": "y", "etag": "1"}}]}
    response = await rest.post("/tasks:batchUpsert", json=gone)
    assert (response.status_code, error_details(response)) == (404, [("TASK_NOT_FOUND", "requests[0]")])
    outcomes, _ = await upsert(system, sonu, upsert_request(external_id="A-1", title="y", etag=task.etag))
    assert outcomes == ["updated"]


@pytest.mark.parametrize(("count", "reason"), [(0, "EMPTY_BATCH"), (101, "TOO_MANY_IN_BATCH")])
async def test_upsert_batch_size_is_1_to_100(system, sonu, rest, count, reason):
    assert await expect_failure(send(system, sonu, *[upsert_request()] * count)) == (
        INVALID,
        reason,
        [("requests", reason)],
    )
    assert violations_in(await rest.post("/tasks:batchUpsert", json={"requests": [{}] * count})) == [
        ("requests", reason)
    ]


async def test_repeated_upsert_with_a_key_returns_the_first_results(system, sonu, rest):
    request = upsert_request(external_id="A-1", title="x")
    first = await send(system, sonu, request, key="k")
    assert await send(system, sonu, request, key="k") == first
    assert (await upsert(system, sonu, request))[0] == ["unchanged"]
    other = await expect_failure(send(system, sonu, upsert_request(external_id="A-1", title="y"), key="k"))
    assert other.reason == "IDEMPOTENCY_KEY_REUSED"
    body = {"requests": [{"task": {"external_id": "A-2", "title": "x"}}]}
    responses = [
        (await rest.post("/tasks:batchUpsert", json=body, headers={"idempotency-key": "r"})).json() for _ in range(2)
    ]
    assert responses[0] == responses[1]
    assert responses[0]["results"][0]["outcome"] == "created"


async def test_upsert_replay_after_a_demotion_is_not_found(system, sonu, database):
    await system.new_user("mina")
    database.rows("UPDATE auth.users SET role = 'manager' WHERE username = 'mina'")
    mina = await system.login("mina@example.com")
    request = upsert_request(external_id="A-1", title="x", owner_id=sonu.id)
    assert await send(system, mina, request, key="k") == await send(system, mina, request, key="k")
    database.rows("UPDATE auth.users SET role = 'user' WHERE username = 'mina'")
    mina = await system.login("mina@example.com")
    assert (await expect_failure(send(system, mina, request, key="k"))).reason == "TASK_NOT_FOUND"


async def test_concurrent_upserts_create_each_task_once(system, sonu):
    """Batches in opposite order neither deadlock nor create a task twice."""
    requests = [upsert_request(external_id=f"A-{number}", title="x") for number in range(30)]
    results = await asyncio.gather(
        *(upsert(system, sonu, *batch) for batch in (requests, list(reversed(requests))) * 3)
    )
    assert sorted(tuple(set(outcomes)) for outcomes, _ in results) == [("created",)] + [("unchanged",)] * 5
    ids = {frozenset(task.id for task in tasks) for _, tasks in results}
    assert len(ids) == 1
    assert len(await list_ids(system, sonu)) == 30


async def test_upserts_and_updates_of_several_owners_do_not_deadlock(system, sonu):
    """Upserts lock the tasks of all owners in id order, as batch updates do."""
    admin = await system.new_admin()
    owners = sorted([sonu.id, (await system.new_user("mina")).id], reverse=True)
    tasks = [
        await create(system, admin, title="x", external_id=f"A-{number}", owner_id=owners[number % 2])
        for number in range(20)
    ]

    async def upsert_all(text: str) -> None:
        await upsert(
            system,
            admin,
            *(
                upsert_request(external_id=task.external_id, owner_id=task.owner_id, description=text)
                for task in reversed(tasks)
            ),
        )

    async def update_all(text: str) -> None:
        requests = [
            task_service_pb2.UpdateTaskRequest(id=task.id, task=task_pb2.Task(description=text)) for task in tasks
        ]
        batch = task_service_pb2.BatchUpdateTasksRequest(requests=requests)
        await system.tasks.BatchUpdateTasks(batch, metadata=admin.metadata)

    for round_number in range(10):
        await asyncio.gather(
            *(change(f"{round_number} {number}") for number in range(2) for change in (upsert_all, update_all))
        )


async def test_upsert_changes_a_task_that_takes_its_external_id(system, sonu, database):
    """A call without the lock takes the external_id between the lookup and the insert; the upsert starts again."""
    other = await create(system, sonu, title="other", external_id="A-0")
    with psycopg.connect(database.administrator_url) as connection:
        connection.execute("UPDATE tasks.tasks SET external_id = 'A-1' WHERE id = %s", [other.id])
        call = asyncio.create_task(upsert(system, sonu, upsert_request(external_id="A-1", title="new"), key="k"))
        await until(lambda: database.rows(WAITING_INSERTS) == [(1,)])
        connection.commit()
    outcomes, [task] = await call
    assert (outcomes, task.id, task.title) == (["updated"], other.id, "new")
