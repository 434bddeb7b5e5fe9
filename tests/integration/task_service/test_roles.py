"""Rights of each role, row by row of the table of roles."""

import grpc
import pytest
from taskmanager.imports.v1 import import_service_pb2
from taskmanager.tasks.v1 import history_service_pb2, task_service_pb2

from tests.integration.task_service.calls import (
    create,
    delete,
    events_of,
    get,
    list_ids,
    purge,
    undelete,
    update,
)
from tests.integration.task_service.import_calls import upload
from tests.support.grpc_calls import expect_failure
from tests.support.system import Principal, System

DENIED, NOT_FOUND = grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.NOT_FOUND


async def status_code(call) -> grpc.StatusCode:
    """Return the status of a call that may succeed."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


@pytest.fixture
async def owner(system: System) -> Principal:
    return await system.new_user("owner")


@pytest.fixture
async def stranger(system: System) -> Principal:
    return await system.new_user("stranger")


@pytest.fixture
async def manager(system: System, database) -> Principal:
    await system.new_user("mo")
    await database.execute("UPDATE auth.users SET role = 'manager' WHERE username = 'mo'")
    return await system.login("mo@example.com")


async def call_every_method(system, person, task, assignee) -> list[grpc.StatusCode]:
    """Return the statuses of: get, list events, assign, update, delete, undelete."""
    return [
        await status_code(call)
        for call in (
            get(system, person, task.id),
            events_of(system, person, task.id),
            update(system, person, task.id, assignee_id=assignee.id),
            update(system, person, task.id, title="new"),
            delete(system, person, task.id),
            undelete(system, person, task.id),
        )
    ]


def list_events(system, person):
    return system.history.ListEvents(history_service_pb2.ListEventsRequest(), metadata=person.metadata)


def get_import(system, person, import_id):
    return system.imports.GetImport(import_service_pb2.GetImportRequest(id=import_id), metadata=person.metadata)


async def test_user_has_all_rights_to_own_tasks(system, owner, stranger):
    task = await create(system, owner, title="x")
    assert await call_every_method(system, owner, task, stranger) == [grpc.StatusCode.OK] * 6


async def test_assignee_has_all_rights_to_the_task(system, owner, stranger):
    task = await create(system, owner, title="x", assignee_id=stranger.id)
    assert await call_every_method(system, stranger, task, stranger) == [grpc.StatusCode.OK] * 6


async def test_user_does_not_find_tasks_and_imports_of_others(system, owner, stranger):
    task = await create(system, owner, title="x")
    assert await call_every_method(system, stranger, task, stranger) == [NOT_FOUND] * 6
    queued = await upload(system, owner)
    assert await status_code(get_import(system, stranger, queued.id)) is NOT_FOUND
    assert await list_ids(system, stranger) == []


async def test_user_rights_end_at_own_tasks(system, owner, stranger):
    task = await create(system, owner, title="x")
    await delete(system, owner, task.id)
    for call in (
        create(system, owner, title="x", owner_id=stranger.id),
        purge(system, owner, task.id),
    ):
        assert await status_code(call) is DENIED


async def test_manager_has_all_rights_to_every_task(system, owner, stranger, manager):
    task = await create(system, manager, title="x", owner_id=owner.id)
    assert await call_every_method(system, manager, task, stranger) == [grpc.StatusCode.OK] * 6
    assert await list_ids(system, manager, owner_id="-") == [task.id]
    queued = await upload(system, owner)
    assert await status_code(get_import(system, manager, queued.id)) is grpc.StatusCode.OK
    (created, *_, restored) = await events_of(system, owner, task.id)
    role = history_service_pb2.TaskEvent.ActorRole.ACTOR_ROLE_MANAGER
    assert {(event.actor_id, event.actor_role) for event in (created, restored)} == {(manager.id, role)}


async def test_manager_can_not_purge(system, owner, manager):
    task = await create(system, owner, title="x")
    await delete(system, owner, task.id)
    assert await status_code(purge(system, manager, task.id)) is DENIED


async def test_admin_also_purges(system, owner, stranger):
    admin = await system.new_admin()
    task = await create(system, owner, title="x")
    assert await call_every_method(system, admin, task, stranger) == [grpc.StatusCode.OK] * 6
    await delete(system, admin, task.id)
    assert await status_code(purge(system, admin, task.id)) is grpc.StatusCode.OK
    assert len((await list_events(system, admin)).events) == 7


async def test_rights_of_a_service_are_its_scopes(system, owner, stranger):
    reader, writer = await system.new_service("tasks:read"), await system.new_service("tasks:write")
    task = await create(system, writer, title="x", owner_id=owner.id)
    ok = grpc.StatusCode.OK
    assert await call_every_method(system, reader, task, stranger) == [ok, ok, DENIED, DENIED, DENIED, DENIED]
    assert await call_every_method(system, writer, task, stranger) == [DENIED, DENIED, ok, ok, ok, ok]
    stats = system.tasks.GetTaskStats(task_service_pb2.GetTaskStatsRequest(), metadata=reader.metadata)
    assert (await stats).total == 1
    for person in (reader, writer):
        assert (await expect_failure(purge(system, person, task.id))).code is DENIED
    assert len((await list_events(system, reader)).events) == 5
    assert (await expect_failure(list_events(system, writer))).code is DENIED
