"""Tasks: creation, reading, deletion, pages, and access."""

import asyncio

import grpc
import pytest
from taskmanager.tasks.v1 import history_service_pb2, task_pb2, task_service_pb2

from tests.integration.task_service.calls import create
from tests.support.grpc_calls import expect_failure


async def test_created_task_has_defaults_and_reads_back(system):
    sonu = await system.new_user("sonu")
    task = await create(system, sonu, title="  Buy milk  ", due_date="2026-03-31")
    assert (task.title, task.status, task.priority) == (
        "Buy milk",
        task_pb2.Task.STATUS_PENDING,
        task_pb2.Task.PRIORITY_NONE,
    )
    assert task.owner_id == sonu.id
    assert task.HasField("created_at")
    assert not task.HasField("deleted_at")
    assert await system.tasks.GetTask(task_service_pb2.GetTaskRequest(id=task.id), metadata=sonu.metadata) == task


async def test_completed_task_has_completed_at(system):
    sonu = await system.new_user("sonu")
    task = await create(system, sonu, title="Done", status=task_pb2.Task.STATUS_COMPLETED)
    assert task.completed_at == task.created_at


async def test_all_invalid_fields_are_reported_together(system):
    sonu = await system.new_user("sonu")
    code, _, violations = await expect_failure(
        create(system, sonu, title=" ", status=99, priority=99, due_date="31.3.2026", description="a\0b")
    )
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert violations == [
        ("task.title", "BLANK_TITLE"),
        ("task.description", "FORBIDDEN_CHARACTER"),
        ("task.status", "UNKNOWN_STATUS"),
        ("task.priority", "UNKNOWN_PRIORITY"),
        ("task.due_date", "MALFORMED_DATE"),
    ]


@pytest.mark.parametrize("title", ["日本語のタスク 🎉", "שלום עולם", "a" * 500, "%s {} \\ ' \" --"])
async def test_any_printable_title_is_stored_exactly(system, title):
    sonu = await system.new_user("sonu")
    assert (await create(system, sonu, title=title)).title == title


@pytest.mark.parametrize(
    ("title", "reason"), [("a" * 501, "TOO_LONG"), ("a\nb", "LINE_BREAK_IN_TITLE"), ("a\x07b", "FORBIDDEN_CHARACTER")]
)
async def test_long_or_unprintable_title_is_rejected(system, title, reason):
    sonu = await system.new_user("sonu")
    assert await expect_failure(create(system, sonu, title=title)) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        reason,
        [("task.title", reason)],
    )


async def test_task_of_another_user_is_not_found(system):
    sonu, mina = await system.new_user("sonu"), await system.new_user("mina")
    task = await create(system, sonu, title="Mine")
    calls = (
        system.tasks.GetTask(task_service_pb2.GetTaskRequest(id=task.id), metadata=mina.metadata),
        system.tasks.DeleteTask(task_service_pb2.DeleteTaskRequest(id=task.id), metadata=mina.metadata),
        system.history.ListTaskEvents(
            history_service_pb2.ListTaskEventsRequest(task_id=task.id), metadata=mina.metadata
        ),
    )
    for call in calls:
        assert (await expect_failure(call))[:2] == (grpc.StatusCode.NOT_FOUND, "TASK_NOT_FOUND")


async def test_admin_can_set_another_owner_but_user_can_not(system):
    sonu, mina, admin = await system.new_user("sonu"), await system.new_user("mina"), await system.new_admin()
    assert (await expect_failure(create(system, sonu, title="x", owner_id=mina.id)))[:2] == (
        grpc.StatusCode.PERMISSION_DENIED,
        "OWNER_NOT_YOURS",
    )
    task = await create(system, admin, title="For Mina", owner_id=mina.id)
    assert await system.tasks.GetTask(task_service_pb2.GetTaskRequest(id=task.id), metadata=mina.metadata) == task


async def test_service_must_set_owner_and_is_the_actor(system):
    sonu = await system.new_user("sonu")
    robot = await system.new_service("tasks:read", "tasks:write")
    assert (await expect_failure(create(system, robot, title="x"))).reason == "OWNER_REQUIRED"
    task = await create(system, robot, title="From a robot", owner_id=sonu.id)
    events = await system.history.ListTaskEvents(
        history_service_pb2.ListTaskEventsRequest(task_id=task.id), metadata=sonu.metadata
    )
    assert [event.actor_role for event in events.events] == [history_service_pb2.TaskEvent.ACTOR_ROLE_SERVICE]
    listed = await system.tasks.ListTasks(task_service_pb2.ListTasksRequest(owner_id="-"), metadata=robot.metadata)
    assert [found.id for found in listed.tasks] == [task.id]


async def test_service_without_the_scope_is_denied(system):
    reader = await system.new_service("tasks:read")
    assert (await expect_failure(create(system, reader, title="x")))[:2] == (
        grpc.StatusCode.PERMISSION_DENIED,
        "PERMISSION_DENIED",
    )


async def test_missing_or_invalid_token_is_unauthenticated(system):
    sonu = await system.new_user("sonu")
    invalid = sonu.token[:-4] + ("aaaa" if sonu.token[-4:] != "aaaa" else "bbbb")
    for metadata in ((), (("authorization", f"Bearer {invalid}"),), (("authorization", f"Basic {sonu.token}"),)):
        call = system.tasks.ListTasks(task_service_pb2.ListTasksRequest(), metadata=metadata)
        assert (await expect_failure(call))[:2] == (grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")


async def test_concurrent_deletes_soft_delete_once(system):
    sonu = await system.new_user("sonu")
    task = await create(system, sonu, title="Old")
    request = task_service_pb2.DeleteTaskRequest(id=task.id)
    responses = await asyncio.gather(
        *(system.tasks.DeleteTask(request, metadata=sonu.metadata) for _ in range(10)), return_exceptions=True
    )
    deleted = [response for response in responses if isinstance(response, task_pb2.Task)]
    assert len(deleted) == 1
    assert deleted[0].HasField("deleted_at")
    assert deleted[0].etag != task.etag
    assert not (await system.tasks.ListTasks(task_service_pb2.ListTasksRequest(), metadata=sonu.metadata)).tasks
    trash = await system.tasks.ListTasks(task_service_pb2.ListTasksRequest(show_deleted=True), metadata=sonu.metadata)
    assert [found.id for found in trash.tasks] == [task.id]
    events = await system.history.ListTaskEvents(
        history_service_pb2.ListTaskEventsRequest(task_id=task.id), metadata=sonu.metadata
    )
    actions = history_service_pb2.TaskEvent.Action
    assert [event.action for event in events.events] == [actions.ACTION_CREATED, actions.ACTION_DELETED]


async def test_event_has_actor_request_id_and_changes(system):
    sonu = await system.new_user("sonu")
    request = task_service_pb2.CreateTaskRequest(task=task_pb2.Task(title="Buy milk", due_date="2026-03-31"))
    task = await system.tasks.CreateTask(request, metadata=(*sonu.metadata, ("x-request-id", "req-42")))
    (event,) = (
        await system.history.ListTaskEvents(
            history_service_pb2.ListTaskEventsRequest(task_id=task.id), metadata=sonu.metadata
        )
    ).events
    assert (event.actor_id, event.request_id, event.occurred_at) == (sonu.id, "req-42", task.created_at)
    assert {change.field: (change.old, change.new) for change in event.changes} == {
        "owner_id": ("", sonu.id),
        "title": ("", "Buy milk"),
        "status": ("", "pending"),
        "priority": ("", "none"),
        "due_date": ("", "2026-03-31"),
    }


async def test_pages_hold_every_task_once_during_changes(system):
    sonu = await system.new_user("sonu")
    created = [(await create(system, sonu, title=f"Task {number}")).id for number in range(25)]
    seen, token = [], ""
    while True:
        page = await system.tasks.ListTasks(
            task_service_pb2.ListTasksRequest(page_size=4, page_token=token), metadata=sonu.metadata
        )
        seen += [task.id for task in page.tasks]
        token = page.next_page_token
        if not token:
            break
        await create(system, sonu, title="Newer")
        await system.tasks.DeleteTask(task_service_pb2.DeleteTaskRequest(id=page.tasks[0].id), metadata=sonu.metadata)
    assert seen == created[::-1]


async def test_page_token_is_bound_to_caller_and_query(system):
    sonu, mina = await system.new_user("sonu"), await system.new_user("mina")
    for number in range(3):
        await create(system, sonu, title=f"Task {number}")
    page = await system.tasks.ListTasks(task_service_pb2.ListTasksRequest(page_size=1), metadata=sonu.metadata)
    token = page.next_page_token
    for person, request in (
        (mina, task_service_pb2.ListTasksRequest(page_token=token)),
        (sonu, task_service_pb2.ListTasksRequest(page_token=token, show_deleted=True)),
        (sonu, task_service_pb2.ListTasksRequest(page_token="invalid")),
        (sonu, task_service_pb2.ListTasksRequest(page_token="é")),
    ):
        call = system.tasks.ListTasks(request, metadata=person.metadata)
        assert (await expect_failure(call))[1:] == ("INVALID_PAGE_TOKEN", [("page_token", "INVALID_PAGE_TOKEN")])


async def test_page_size_is_capped_and_negative_is_rejected(system):
    sonu = await system.new_user("sonu")
    await create(system, sonu, title="x")
    big = await system.tasks.ListTasks(task_service_pb2.ListTasksRequest(page_size=10**6), metadata=sonu.metadata)
    assert len(big.tasks) == 1
    call = system.tasks.ListTasks(task_service_pb2.ListTasksRequest(page_size=-1), metadata=sonu.metadata)
    assert (await expect_failure(call)).reason == "NEGATIVE_PAGE_SIZE"


async def test_list_is_filtered_by_status(system):
    sonu = await system.new_user("sonu")
    await create(system, sonu, title="a")
    done = await create(system, sonu, title="b", status=task_pb2.Task.STATUS_COMPLETED)
    page = await system.tasks.ListTasks(
        task_service_pb2.ListTasksRequest(status=[task_pb2.Task.STATUS_COMPLETED]), metadata=sonu.metadata
    )
    assert [task.id for task in page.tasks] == [done.id]


@pytest.mark.parametrize("task_id", ["", "x", "../etc/passwd", "{0190b5a6-7f6e-7cc0-98d6-2f8a4b3c1d2e}"])
async def test_malformed_id_is_rejected(system, task_id):
    sonu = await system.new_user("sonu")
    call = system.tasks.GetTask(task_service_pb2.GetTaskRequest(id=task_id), metadata=sonu.metadata)
    code, _, violations = await expect_failure(call)
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert violations[0][0] == "id"
