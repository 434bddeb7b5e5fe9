"""Batches: all changes of one transaction, or none."""

import asyncio
from uuid import uuid4

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from taskmanager.tasks.v1 import task_pb2, task_service_pb2

from chassis.rpc.errors import read_status
from task_service.tasks.domain.errors import BlankTitle, CommaInLabel
from tests.integration.task_service.batch_calls import Create, Delete, Update, create_all, delete_all, update_all
from tests.integration.task_service.calls import actions_of, create, delete, get, list_ids
from tests.support.grpc_calls import expect_failure
from tests.support.rest import error_details, violations_in

INVALID = grpc.StatusCode.INVALID_ARGUMENT


async def test_batch_results_are_in_request_order(system):
    sonu = await system.new_user("sonu")
    created = (await create_all(system, sonu, *map(str, range(100)))).tasks
    assert [task.title for task in created] == list(map(str, range(100)))
    mask = FieldMask(paths=["title"])
    updates = [Update(id=task.id, task=task_pb2.Task(title="new"), update_mask=mask) for task in created]
    updated = (await update_all(system, sonu, *updates)).tasks
    assert [(task.id, task.title) for task in updated] == [(task.id, "new") for task in created]
    deleted = (await delete_all(system, sonu, *(Delete(id=task.id, etag=task.etag) for task in updated))).tasks
    assert [task.id for task in deleted] == [task.id for task in created]
    assert await list_ids(system, sonu) == []
    assert await actions_of(system, sonu, created[7].id) == ["created", "updated", "deleted"]


async def test_batch_errors_name_their_request(system):
    sonu = await system.new_user("sonu")
    requests = [
        Create(task=task_pb2.Task(title="good")),
        Create(task=task_pb2.Task(title=" ", due_date="soon")),
        Create(task=task_pb2.Task(title="x", labels=["a,b"])),
    ]
    batch = task_service_pb2.BatchCreateTasksRequest(requests=requests)
    assert await expect_failure(system.tasks.BatchCreateTasks(batch, metadata=sonu.metadata)) == (
        INVALID,
        "BLANK_TITLE",
        [
            ("requests[1].task.title", "BLANK_TITLE"),
            ("requests[1].task.due_date", "MALFORMED_DATE"),
            ("requests[2].task.labels", "COMMA_IN_LABEL"),
        ],
    )
    assert await list_ids(system, sonu) == []


@pytest.mark.parametrize("name", ["BatchCreateTasks", "BatchUpdateTasks", "BatchDeleteTasks"])
async def test_oversized_batch_is_rejected_before_parsing(system, name):
    sonu = await system.new_user("sonu")
    batch = getattr(task_service_pb2, f"{name}Request")(idempotency_key="not an\nidempotency key")
    for _ in range(100_000):
        batch.requests.add()
    batch.requests[0].idempotency_key = "a key of its own"
    assert await expect_failure(getattr(system.tasks, name)(batch, metadata=sonu.metadata)) == (
        INVALID,
        "TOO_MANY_IN_BATCH",
        [("requests", "TOO_MANY_IN_BATCH")],
    )


async def test_one_error_rolls_back_the_whole_batch(system):
    sonu, mina = await system.new_user("sonu"), await system.new_user("mina")
    first, hers = await create(system, sonu, title="x", external_id="A-1"), await create(system, mina, title="y")
    new = task_pb2.Task(title="new")
    not_found = (grpc.StatusCode.NOT_FOUND, "TASK_NOT_FOUND", [("requests[1]", "TASK_NOT_FOUND")])
    updates = (Update(id=first.id, task=new), Update(id=hers.id, task=new))
    assert await expect_failure(update_all(system, sonu, *updates)) == not_found
    assert await expect_failure(delete_all(system, sonu, Delete(id=first.id), Delete(id=hers.id))) == not_found
    stale = Update(id=first.id, task=task_pb2.Task(title="new", etag="99"))
    assert (await expect_failure(update_all(system, sonu, stale)))[1:] == (
        "ETAG_MISMATCH",
        [("requests[0].task.etag", "ETAG_MISMATCH")],
    )
    duplicate = await expect_failure(create_all(system, sonu, "a", "b", external_id="B-1"))
    assert duplicate[1:] == (
        "EXTERNAL_ID_TAKEN",
        [("requests[1].task.external_id", "EXTERNAL_ID_TAKEN")],
    )
    assert await get(system, sonu, first.id) == first
    assert await list_ids(system, sonu) == [first.id]


async def test_external_ids_in_a_batch_of_updates(system):
    """One task passes its external_id on to another, and one that is taken is named by the index of its request."""
    sonu = await system.new_user("sonu")
    mask = FieldMask(paths=["external_id"])
    first, second = await create(system, sonu, title="a", external_id="A-1"), await create(system, sonu, title="b")
    passed_on = await update_all(
        system,
        sonu,
        Update(id=first.id, task=task_pb2.Task(), update_mask=mask),
        Update(id=second.id, task=task_pb2.Task(external_id="A-1"), update_mask=mask),
    )
    assert [task.external_id for task in passed_on.tasks] == ["", "A-1"]
    third = await create(system, sonu, title="c")
    taken = await expect_failure(
        update_all(
            system,
            sonu,
            Update(id=third.id, task=task_pb2.Task(title="new"), update_mask=FieldMask(paths=["title"])),
            Update(id=first.id, task=task_pb2.Task(external_id="A-1"), update_mask=mask),
        )
    )
    assert taken[1:] == ("EXTERNAL_ID_TAKEN", [("requests[1].task.external_id", "EXTERNAL_ID_TAKEN")])
    assert await get(system, sonu, third.id) == third


@pytest.mark.parametrize(("count", "reason"), [(0, "EMPTY_BATCH"), (101, "TOO_MANY_IN_BATCH")])
async def test_batch_size_is_1_to_100(system, count, reason):
    sonu = await system.new_user("sonu")
    assert await expect_failure(create_all(system, sonu, *["x"] * count)) == (INVALID, reason, [("requests", reason)])


async def test_duplicate_ids_and_item_keys_are_rejected(system):
    sonu = await system.new_user("sonu")
    task = await create(system, sonu, title="x")
    assert (await expect_failure(delete_all(system, sonu, Delete(id=task.id), Delete(id=task.id)))).violations == [
        ("requests[0].id", "DUPLICATE_IN_BATCH"),
        ("requests[1].id", "DUPLICATE_IN_BATCH"),
    ]
    malformed = await expect_failure(delete_all(system, sonu, Delete(id="x")))
    assert malformed.violations == [("requests[0].id", "MALFORMED_ID")]
    keyed = Delete(id=task.id, idempotency_key="k")
    assert (await expect_failure(delete_all(system, sonu, keyed))).violations == [
        ("requests[0].idempotency_key", "IDEMPOTENCY_KEY_IN_BATCH_ITEM")
    ]


async def test_message_does_not_repeat_an_error_of_several_requests(system):
    """The message names a field as its request does. The violations have the paths."""
    sonu = await system.new_user("sonu")
    labelled = Create(task=task_pb2.Task(title=" ", labels=["a,b"]))
    batch = task_service_pb2.BatchCreateTasksRequest(requests=(Create(task=task_pb2.Task(title=" ")), labelled))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await system.tasks.BatchCreateTasks(batch, metadata=sonu.metadata)
    status = read_status(caught.value)
    assert status.message == f"{BlankTitle().message} {CommaInLabel().message}"
    assert [violation.field for violation in status.violations] == [
        "requests[0].task.title",
        "requests[1].task.title",
        "requests[1].task.labels",
    ]
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await delete_all(system, sonu, Delete(id=str(uuid4())), Delete())
    (violation,) = read_status(caught.value).violations
    assert (violation.field, violation.message) == ("requests[1].id", "The field id is required.")


def get_all(system, person, *ids: str):
    return system.tasks.BatchGetTasks(task_service_pb2.BatchGetTasksRequest(ids=ids), metadata=person.metadata)


async def test_batch_get_returns_tasks_in_request_order(system):
    sonu, mina = await system.new_user("sonu"), await system.new_user("mina")
    own = [await create(system, sonu, title=str(number)) for number in range(3)]
    assigned = await create(system, mina, title="hers", assignee_id=sonu.id)
    await delete(system, sonu, own[0].id)
    tasks = [own[2], assigned, await get(system, sonu, own[0].id), own[1]]
    assert list((await get_all(system, sonu, *(task.id for task in tasks))).tasks) == tasks
    service = await system.new_service("tasks:read")
    assert len((await get_all(system, service, *(task.id for task in tasks))).tasks) == len(tasks)


async def test_batch_get_names_the_first_id_without_a_visible_task(system):
    sonu, mina = await system.new_user("sonu"), await system.new_user("mina")
    own, hers = await create(system, sonu, title="x"), await create(system, mina, title="y")
    for missing in (hers.id, str(uuid4())):
        assert await expect_failure(get_all(system, sonu, own.id, missing, str(uuid4()))) == (
            grpc.StatusCode.NOT_FOUND,
            "TASK_NOT_FOUND",
            [("ids[1]", "TASK_NOT_FOUND")],
        )


async def test_batch_get_refuses_invalid_ids(system, sonu, rest):
    task = await create(system, sonu, title="x")
    for ids, expected in (
        ([task.id, str(uuid4()), task.id], [("ids[0]", "DUPLICATE_IN_BATCH"), ("ids[2]", "DUPLICATE_IN_BATCH")]),
        ([task.id, task.id.upper()], [("ids[0]", "DUPLICATE_IN_BATCH"), ("ids[1]", "DUPLICATE_IN_BATCH")]),
        ([task.id, "", "x"], [("ids[1]", "MISSING_FIELD"), ("ids[2]", "MALFORMED_ID")]),
        ([], [("ids", "EMPTY_BATCH")]),
        ([task.id] * 101, [("ids", "TOO_MANY_IN_BATCH")]),
    ):
        failure = await expect_failure(get_all(system, sonu, *ids))
        assert (failure.code, failure.violations) == (INVALID, expected)
        assert violations_in(await rest.post("/tasks:batchGet", json={"ids": ids})) == expected


async def test_batch_get_over_rest(system, sonu, rest):
    tasks = [(await rest.post("/tasks", json={"title": title})).json() for title in ("a", "b")]
    response = await rest.post("/tasks:batchGet", json={"ids": [tasks[1]["id"], tasks[0]["id"]]})
    assert (response.status_code, response.json()) == (200, {"tasks": [tasks[1], tasks[0]]})
    missing = await rest.post("/tasks:batchGet", json={"ids": [tasks[1]["id"], str(uuid4())]})
    assert (missing.status_code, error_details(missing)) == (404, [("TASK_NOT_FOUND", "ids[1]")])


async def test_concurrent_batches_with_one_key_create_once(system):
    sonu = await system.new_user("sonu")
    first, *others = await asyncio.gather(*(create_all(system, sonu, "a", "b", key="k") for _ in range(8)))
    assert all(other == first for other in others)
    assert len(await list_ids(system, sonu)) == 2


async def test_batches_in_opposite_order_do_not_deadlock(system):
    sonu = await system.new_user("sonu")
    created = (await create_all(system, sonu, *map(str, range(20)))).tasks
    updates = [Update(id=task.id, task=task_pb2.Task(description="d")) for task in created]
    reverse_updates = [Update(id=task.id, task=task_pb2.Task(description="e")) for task in reversed(created)]
    for _ in range(3):
        await asyncio.gather(*(update_all(system, sonu, *batch) for batch in (updates, reverse_updates) * 2))
