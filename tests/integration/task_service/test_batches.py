"""Many changes at once: all of them or none."""

import asyncio

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from taskmanager.tasks.v1 import task_pb2, task_service_pb2

from tests.integration.task_service.calls import actions_of, create, get, listed, refused

INVALID = grpc.StatusCode.INVALID_ARGUMENT
Create = task_service_pb2.CreateTaskRequest
Update = task_service_pb2.UpdateTaskRequest
Delete = task_service_pb2.DeleteTaskRequest


def create_all(system, person, *titles: str, key: str = "", **fields):
    requests = [Create(task=task_pb2.Task(title=title, **fields)) for title in titles]
    batch = task_service_pb2.BatchCreateTasksRequest(requests=requests, idempotency_key=key)
    return system.tasks.BatchCreateTasks(batch, metadata=person.metadata)


def update_all(system, person, *requests: Update):
    batch = task_service_pb2.BatchUpdateTasksRequest(requests=requests)
    return system.tasks.BatchUpdateTasks(batch, metadata=person.metadata)


def delete_all(system, person, *requests: Delete):
    batch = task_service_pb2.BatchDeleteTasksRequest(requests=requests)
    return system.tasks.BatchDeleteTasks(batch, metadata=person.metadata)


async def test_a_batch_creates_updates_and_deletes_in_the_order_of_its_requests(system):
    sonu = await system.new_user("sonu")
    made = (await create_all(system, sonu, *map(str, range(100)))).tasks
    assert [task.title for task in made] == list(map(str, range(100)))
    mask = FieldMask(paths=["title"])
    wanted = [Update(id=task.id, task=task_pb2.Task(title="new"), update_mask=mask) for task in made]
    changed = (await update_all(system, sonu, *wanted)).tasks
    assert [(task.id, task.title) for task in changed] == [(task.id, "new") for task in made]
    gone = (await delete_all(system, sonu, *(Delete(id=task.id, etag=task.etag) for task in changed))).tasks
    assert [task.id for task in gone] == [task.id for task in made]
    assert await listed(system, sonu) == []
    assert await actions_of(system, sonu, made[7].id) == ["created", "updated", "deleted"]


async def test_every_wrong_value_of_a_batch_names_its_request_and_nothing_is_made(system):
    sonu = await system.new_user("sonu")
    requests = [
        Create(task=task_pb2.Task(title="good")),
        Create(task=task_pb2.Task(title=" ", due_date="soon")),
        Create(task=task_pb2.Task(title="x", labels=["a,b"])),
    ]
    batch = task_service_pb2.BatchCreateTasksRequest(requests=requests)
    assert await refused(system.tasks.BatchCreateTasks(batch, metadata=sonu.metadata)) == (
        INVALID,
        "BLANK_TITLE",
        [
            ("requests[1].task.title", "BLANK_TITLE"),
            ("requests[1].task.due_date", "MALFORMED_DATE"),
            ("requests[2].task.labels", "COMMA_IN_LABEL"),
        ],
    )
    assert await listed(system, sonu) == []


@pytest.mark.parametrize("name", ["BatchCreateTasks", "BatchUpdateTasks", "BatchDeleteTasks"])
async def test_a_batch_that_is_too_large_is_refused_before_anything_in_it_is_looked_at(system, name):
    sonu = await system.new_user("sonu")
    batch = getattr(task_service_pb2, f"{name}Request")(idempotency_key="not an\nidempotency key")
    for _ in range(100_000):
        batch.requests.add()
    batch.requests[0].idempotency_key = "a key of its own"
    assert await refused(getattr(system.tasks, name)(batch, metadata=sonu.metadata)) == (
        INVALID,
        "TOO_MANY_IN_BATCH",
        [("requests", "TOO_MANY_IN_BATCH")],
    )


async def test_one_refusal_undoes_the_whole_batch_and_names_its_request(system):
    sonu, mina = await system.new_user("sonu"), await system.new_user("mina")
    first, hers = await create(system, sonu, title="x", external_id="A-1"), await create(system, mina, title="y")
    new = task_pb2.Task(title="new")
    not_found = (grpc.StatusCode.NOT_FOUND, "TASK_NOT_FOUND", [("requests[1]", "TASK_NOT_FOUND")])
    assert await refused(update_all(system, sonu, Update(id=first.id, task=new), Update(id=hers.id, task=new))) == (
        not_found
    )
    assert await refused(delete_all(system, sonu, Delete(id=first.id), Delete(id=hers.id))) == not_found
    stale = Update(id=first.id, task=task_pb2.Task(title="new", etag="99"))
    assert (await refused(update_all(system, sonu, stale)))[1:] == (
        "ETAG_MISMATCH",
        [("requests[0].etag", "ETAG_MISMATCH")],
    )
    taken = await refused(create_all(system, sonu, "a", "b", external_id="B-1"))
    assert taken[1:] == (
        "EXTERNAL_ID_TAKEN",
        [("requests[1].task.external_id", "EXTERNAL_ID_TAKEN")],
    )
    assert await get(system, sonu, first.id) == first
    assert await listed(system, sonu) == [first.id]


@pytest.mark.parametrize(("count", "reason"), [(0, "EMPTY_BATCH"), (101, "TOO_MANY_IN_BATCH")])
async def test_a_batch_holds_one_to_a_hundred_requests(system, count, reason):
    sonu = await system.new_user("sonu")
    assert await refused(create_all(system, sonu, *["x"] * count)) == (INVALID, reason, [("requests", reason)])


async def test_a_task_comes_once_in_a_batch_and_no_request_has_a_key_of_its_own(system):
    sonu = await system.new_user("sonu")
    task = await create(system, sonu, title="x")
    assert (await refused(delete_all(system, sonu, Delete(id=task.id), Delete(id=task.id))))[2] == [
        ("requests[0].id", "DUPLICATE_IN_BATCH"),
        ("requests[1].id", "DUPLICATE_IN_BATCH"),
    ]
    assert (await refused(delete_all(system, sonu, Delete(id="x"))))[2] == [("requests[0].id", "MALFORMED_ID")]
    keyed = Delete(id=task.id, idempotency_key="k")
    assert (await refused(delete_all(system, sonu, keyed)))[2] == [
        ("requests[0].idempotency_key", "IDEMPOTENCY_KEY_IN_BATCH_ITEM")
    ]


async def test_twin_batches_make_their_tasks_once(system):
    sonu = await system.new_user("sonu")
    first, *others = await asyncio.gather(*(create_all(system, sonu, "a", "b", key="k") for _ in range(8)))
    assert all(other == first for other in others)
    assert len(await listed(system, sonu)) == 2


async def test_batches_that_meet_in_opposite_order_both_end(system):
    sonu = await system.new_user("sonu")
    made = (await create_all(system, sonu, *map(str, range(20)))).tasks
    wanted = [Update(id=task.id, task=task_pb2.Task(description="d")) for task in made]
    again = [Update(id=task.id, task=task_pb2.Task(description="e")) for task in reversed(made)]
    for _ in range(3):
        await asyncio.gather(*(update_all(system, sonu, *batch) for batch in (wanted, again, wanted, again)))
