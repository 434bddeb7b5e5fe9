"""Duplicates: rows with the external_id of an existing task fail, are skipped, or update the task."""

import random

import grpc
import pytest
from taskmanager.imports.v1 import import_service_pb2
from taskmanager.tasks.v1 import task_pb2

from chassis.database.pool import open_pool
from task_service.imports.persistence.unit_of_work import SqlImportsUnitOfWork
from task_service.imports.usecases.dry_run_cleanup import DeleteDryRunState
from tests.integration.task_service import calls
from tests.integration.task_service.calls import actions_of, create, delete, events_of
from tests.integration.task_service.duplicate_imports import FAIL, SKIP, UPDATE, counts, run_import
from tests.integration.task_service.import_calls import END, batch, get, upload
from tests.support.grpc_calls import refused

ALL = ["title", "description", "status", "priority", "due_date", "labels", "external_id", "assignee"]


async def test_error_of_a_duplicate_names_its_line(system, worker):
    sonu = await system.new_user("sonu")
    existing = await create(system, sonu, title="old", external_id="A")
    rows = [["B", "b"], ["A", "new"], ["", "neither"], ["", ""], ["B", "again"]]
    finished = await run_import(system, sonu, worker, rows, [["B", "and again"], ["C", "c"]])
    assert counts(finished) == (3, 0, 0, 0, 4)
    request = import_service_pb2.ListImportErrorsRequest(import_id=finished.id)
    errors = (await system.imports.ListImportErrors(request, metadata=sonu.metadata)).errors
    assert [(error.line, error.code) for error in errors] == [
        (3, "EXTERNAL_ID_TAKEN"),
        (5, "BLANK_TITLE"),
        (6, "EXTERNAL_ID_TAKEN"),
        (7, "EXTERNAL_ID_TAKEN"),
    ]
    assert errors[0].message.endswith("Set on_duplicate=skip or on_duplicate=update.")
    assert await calls.get(system, sonu, existing.id) == existing


async def test_skipped_duplicate_is_counted_and_changes_nothing(system, worker):
    sonu = await system.new_user("sonu")
    existing = await create(system, sonu, title="old", external_id="A")
    rows = [["A", "new"], ["B", "b"], ["B", "again"]]
    finished = await run_import(system, sonu, worker, rows, [["B", "and again"]], on_duplicate=SKIP)
    assert counts(finished) == (1, 0, 0, 3, 0)
    assert await calls.get(system, sonu, existing.id) == existing


async def test_update_changes_only_the_columns_of_the_file(system, worker):
    sonu, mina = await system.new_user("sonu"), await system.new_user("mina")
    existing = await create(
        system,
        sonu,
        title="old",
        description="stays",
        status=task_pb2.Task.STATUS_IN_PROGRESS,
        priority=task_pb2.Task.PRIORITY_HIGH,
        due_date="2026-03-31",
        labels=["a"],
        external_id="A",
        assignee_id=mina.id,
    )
    header = ["external_id", "title", "status", "priority", "due_date", "labels", "assignee"]
    rows = [["A", "new", "", " ", "", "", ""], ["B", "b", "", "", "", "", ""]]
    defaults = {"default_status": task_pb2.Task.STATUS_COMPLETED, "default_labels": "x", "default_assignee": "sonu"}
    finished = await run_import(system, sonu, worker, rows, header=header, on_duplicate=UPDATE, **defaults)
    assert counts(finished) == (1, 1, 0, 0, 0)
    found = await calls.get(system, sonu, existing.id)
    assert (found.title, found.description, found.due_date, found.assignee_id) == ("new", "stays", "", "")
    assert not found.labels
    assert (found.status, found.priority) == (existing.status, existing.priority)
    assert (found.etag, found.import_id, found.created_at) == ("2", "", existing.created_at)
    (created_id,) = await calls.list_ids(system, sonu, import_id=finished.id)
    new = await calls.get(system, sonu, created_id)
    assert (new.status, list(new.labels), new.assignee_id) == (task_pb2.Task.STATUS_COMPLETED, ["x"], sonu.id)


async def test_update_records_one_event_and_noop_records_none(system, worker):
    sonu, manager = await system.new_user("sonu"), await system.new_admin()
    same = await create(system, sonu, title="same", external_id="S")
    existing = await create(system, sonu, title="old", external_id="A")
    rows = [["A", "new", "completed"], ["S", "same", "pending"]]
    header = ["external_id", "title", "status"]
    finished = await run_import(system, manager, worker, rows, header=header, on_duplicate=UPDATE, owner_id=sonu.id)
    assert counts(finished) == (0, 1, 1, 0, 0)
    assert await calls.get(system, sonu, same.id) == same
    assert await actions_of(system, sonu, same.id) == ["created"]
    _, event = await events_of(system, sonu, existing.id)
    found = await calls.get(system, sonu, existing.id)
    assert event.actor_id == manager.id
    assert event.request_id
    assert {(change.field, change.old, change.new) for change in event.changes} == {
        ("title", "old", "new"),
        ("status", "pending", "completed"),
    }
    assert found.completed_at == found.updated_at == event.occurred_at
    assert (await refused(calls.update(system, sonu, existing.id, title="x", etag="1"))).reason == "ETAG_MISMATCH"


async def test_row_updates_a_task_created_earlier_in_the_file(system, worker):
    sonu = await system.new_user("sonu")
    rows = [["A", "a"], ["A", "b"], ["A", "b"], ["B", "x"], ["A", "c"]]
    finished = await run_import(system, sonu, worker, rows, [["B", "x"], ["A", "d"]], on_duplicate=UPDATE)
    assert counts(finished) == (2, 3, 2, 0, 0)
    ids = await calls.list_ids(system, sonu)
    found = {task.external_id: task for task in [await calls.get(system, sonu, id_) for id_ in ids]}
    assert (found["A"].title, found["A"].etag, found["B"].etag) == ("d", "4", "1")
    events = await events_of(system, sonu, found["A"].id)
    assert [change.new for event in events for change in event.changes if change.field == "title"] == list("abcd")


async def test_deleted_tasks_and_other_owners_are_no_duplicates(system, worker):
    sonu, mina = await system.new_user("sonu"), await system.new_user("mina")
    gone = await create(system, sonu, title="old", external_id="A")
    await delete(system, sonu, gone.id)
    theirs = await create(system, mina, title="theirs", external_id="A")
    finished = await run_import(system, sonu, worker, [["A", "new"]], on_duplicate=UPDATE)
    assert counts(finished) == (1, 0, 0, 0, 0)
    assert (await calls.get(system, mina, theirs.id)) == theirs
    assert (await calls.get(system, sonu, gone.id)).title == "old"


@pytest.mark.parametrize("rule", [FAIL, SKIP, UPDATE])
@pytest.mark.parametrize("seed", range(3))
async def test_dry_run_has_the_counts_of_the_real_import(system, worker, database, rule, seed):
    sonu = await system.new_user("sonu")
    rng = random.Random(seed)  # noqa: S311 - a fixed example
    for key in "ABC":
        await create(system, sonu, title=rng.choice("xy"), external_id=key, labels=[rng.choice(["l", "m"])])

    def row() -> list[str]:
        keys, statuses = [*"ABCDEFG", ""], ["", "pending", "completed", "wrong"]
        return [rng.choice(keys), rng.choice("xy"), rng.choice(statuses), rng.choice(["", "l"])]

    batches = [[row() for _ in range(rng.randint(1, 25))] for _ in range(4)]
    options = {"header": ["external_id", "title", "status", "labels"], "on_duplicate": rule, "default_labels": "m"}
    before = await database.execute("SELECT * FROM tasks.tasks ORDER BY id")
    dry_run = await run_import(system, sonu, worker, *batches, validate_only=True, **options)
    assert await database.execute("SELECT * FROM tasks.tasks ORDER BY id") == before
    finished = await run_import(system, sonu, worker, *batches, **options)
    assert counts(dry_run) == counts(finished)
    assert dry_run.failed_rows_kept == finished.failed_rows_kept
    async with open_pool(database.tasks_url, name="test", size=2) as pool:
        assert await DeleteDryRunState(begin=lambda: SqlImportsUnitOfWork(pool), step_size=2)() > 0
    assert await database.execute("SELECT count(*) FROM tasks.import_dry_run_tasks") == [(0,)]


async def test_dry_run_state_is_deleted_after_the_import_ends(system, worker, database):
    sonu = await system.new_user("sonu")
    await upload(system, sonu, b"external_id,title\nxx,y\n", validate_only=True)
    lease = await worker.claim()
    await worker.stream(lease, batch(lease.checkpoint, ["A", "a"], size=5))
    async with open_pool(database.tasks_url, name="test", size=2) as pool:
        delete_dry_run_state = DeleteDryRunState(begin=lambda: SqlImportsUnitOfWork(pool))
        assert await delete_dry_run_state() == 0
        await worker.stream(lease, END)
        assert await delete_dry_run_state() == 1


async def test_failed_batch_changes_no_task(system, worker, database):
    sonu = await system.new_user("sonu")
    existing = await create(system, sonu, title="old", external_id="A")
    queued = await upload(system, sonu, b"external_id,title\nx,y\nx,y\n", on_duplicate=UPDATE)
    lease = await worker.claim()
    rows = batch(lease.checkpoint, ["A", "new"], ["B", "b"], size=5)
    await database.execute("REVOKE UPDATE ON tasks.tasks FROM tasks_app")
    assert (await refused(worker.stream(lease, rows))).code is grpc.StatusCode.INTERNAL
    assert counts(await get(system, sonu, queued.id)) == (0, 0, 0, 0, 0)
    await database.execute("GRANT UPDATE ON tasks.tasks TO tasks_app")
    await database.execute("REVOKE INSERT ON tasks.task_events FROM tasks_app")
    assert (await refused(worker.stream(lease, rows))).code is grpc.StatusCode.INTERNAL
    assert counts(await get(system, sonu, queued.id)) == (0, 0, 0, 0, 0)
    assert await calls.get(system, sonu, existing.id) == existing
    await database.execute("GRANT INSERT ON tasks.task_events TO tasks_app")
    await worker.stream(lease, rows, END)
    assert counts(await get(system, sonu, queued.id)) == (1, 1, 0, 0, 0)
