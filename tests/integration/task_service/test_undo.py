"""Undo of an import, through the API."""

import asyncio

import grpc
import psycopg
import pytest
from taskmanager.imports.v1 import import_pb2, import_service_pb2
from taskmanager.tasks.v1 import task_pb2

from tests.integration.task_service import calls
from tests.integration.task_service.calls import actions_of, create, delete, events_of, list_ids, purge, update
from tests.integration.task_service.import_calls import END, batch, get, upload
from tests.integration.task_service.undo_calls import UNDO_SUCCEEDED, run_undo, undo, wait_until_over
from tests.support.grpc_calls import refused

UPDATE = import_service_pb2.UploadOptions.ON_DUPLICATE_UPDATE
CHANGED, DELETED = import_pb2.UndoConflict.REASON_CHANGED, import_pb2.UndoConflict.REASON_DELETED


async def run_import(system, user, worker, *batches: list[list[str]], **options) -> import_pb2.Import:
    """Import a file in these batches, and return the finished import."""
    queued = await upload(system, user, b"external_id,title,status\n" + b"x" * 4000, **options)
    lease = await worker.claim()
    sent, begin = [], lease.checkpoint
    for rows in batches:
        sent.append(batch(begin, *rows, size=5))
        begin = sent[-1].batch.end
    await worker.stream(lease, *sent, END)
    return await get(system, user, queued.id)


async def list_conflicts(system, user, import_id: str, size: int = 0) -> dict[str, int]:
    """Return the reasons of all conflicts by task id, from all pages."""
    found: list[import_pb2.UndoConflict] = []
    token = ""
    while True:
        request = import_service_pb2.ListUndoConflictsRequest(import_id=import_id, page_size=size, page_token=token)
        page = await system.imports.ListUndoConflicts(request, metadata=user.metadata)
        found += page.conflicts
        token = page.next_page_token
        if not token:
            assert [item.task_id for item in found] == sorted(item.task_id for item in found)
            return {item.task_id: item.reason for item in found}


async def test_undo_deletes_created_and_reverts_changed_tasks(system, worker):
    sonu, admin = await system.new_user("sonu"), await system.new_admin()
    existing = await create(
        system, sonu, title="old", external_id="A", labels=["a"], status=task_pb2.Task.STATUS_COMPLETED
    )
    same = await create(system, sonu, title="same", external_id="S")
    rows = [["A", "new", "pending"], ["S", "same", ""], ["B", "b", ""], ["", "c", ""], ["B", "b again", ""]]
    finished = await run_import(system, sonu, worker, rows, [["A", "newer", ""]], on_duplicate=UPDATE)
    assert not finished.HasField("undo")
    assert await run_undo(system, admin, finished.id) == (2, 1, 0)
    restored = await calls.get(system, sonu, existing.id)
    for field in ("title", "description", "status", "labels", "completed_at", "created_at", "external_id"):
        assert getattr(restored, field) == getattr(existing, field)
    assert restored.etag == "4"
    assert await calls.get(system, sonu, same.id) == same
    assert set(await list_ids(system, sonu)) == {existing.id, same.id}
    assert len(await list_ids(system, sonu, import_id=finished.id, show_deleted=True)) == 2
    *_, last = await events_of(system, sonu, existing.id)
    assert (last.actor_id, last.occurred_at) == (admin.id, restored.updated_at)
    assert {(change.field, change.old, change.new) for change in last.changes} == {
        ("title", "newer", "old"),
        ("status", "pending", "completed"),
        ("completed_at", "", f"{existing.completed_at.ToDatetime().isoformat()}Z"),
    }
    for task_id in await list_ids(system, sonu, import_id=finished.id, show_deleted=True):
        *_, last = await events_of(system, sonu, task_id)
        assert (last.action, last.actor_id) == (last.ACTION_DELETED, admin.id)
        assert last.request_id
        assert (await calls.get(system, sonu, task_id)).HasField("purge_at")
    assert await list_conflicts(system, sonu, finished.id) == {}


async def test_tasks_changed_since_the_import_are_conflicts(system, worker):
    sonu, admin = await system.new_user("sonu"), await system.new_admin()
    existing = {key: await create(system, sonu, title="old", external_id=key) for key in ("A", "B", "C", "D")}
    rows = [[key, f"new {key}", ""] for key in "ABCDEFGHI"]
    finished = await run_import(system, sonu, worker, rows, on_duplicate=UPDATE)
    found = {
        task.external_id: task for task in [await calls.get(system, sonu, i) for i in await list_ids(system, sonu)]
    }
    await update(system, sonu, found["A"].id, title="mine")
    await update(system, sonu, found["E"].id, description="mine")
    await delete(system, sonu, found["B"].id)
    await delete(system, sonu, found["F"].id)
    await calls.undelete(system, sonu, (await delete(system, sonu, found["G"].id)).id)
    for key in ("C", "H"):
        await delete(system, sonu, found[key].id)
        await purge(system, admin, found[key].id)
    assert await run_undo(system, sonu, finished.id) == (1, 1, 5)
    reasons = {"A": CHANGED, "B": DELETED, "E": CHANGED, "F": DELETED, "G": CHANGED}
    assert await list_conflicts(system, sonu, finished.id, size=2) == {
        found[key].id: reason for key, reason in reasons.items()
    }
    assert (await calls.get(system, sonu, found["A"].id)).title == "mine"
    assert (await calls.get(system, sonu, existing["D"].id)).title == "old"
    assert await actions_of(system, sonu, found["I"].id) == ["created", "deleted"]


async def test_change_between_two_import_changes_is_kept(system, worker):
    """The first snapshot of the import is older than the user's change and would overwrite it."""
    sonu = await system.new_user("sonu")
    existing = await create(system, sonu, title="old", external_id="A")
    queued = await upload(system, sonu, b"external_id,title,status\n" + b"x,y,\n" * 4, on_duplicate=UPDATE)
    lease = await worker.claim()
    first = batch(lease.checkpoint, ["A", "new", ""], ["B", "b", ""], size=5)
    await worker.stream(lease, first)
    (created_id,) = await list_ids(system, sonu, import_id=queued.id)
    for task_id in (existing.id, created_id):
        await update(system, sonu, task_id, description="mine")
    second = batch(first.batch.end, ["A", "newer", ""], ["B", "bb", ""], size=5)
    await worker.stream(lease, second, END)
    assert await run_undo(system, sonu, queued.id) == (0, 0, 2)
    assert await list_conflicts(system, sonu, queued.id) == {existing.id: CHANGED, created_id: CHANGED}
    assert (await calls.get(system, sonu, existing.id)).description == "mine"


async def test_undo_of_a_reverted_change_records_no_event(system, worker):
    sonu = await system.new_user("sonu")
    existing = await create(system, sonu, title="old", external_id="A")
    finished = await run_import(system, sonu, worker, [["A", "new", ""], ["A", "old", ""]], on_duplicate=UPDATE)
    assert await run_undo(system, sonu, finished.id) == (0, 1, 0)
    assert await actions_of(system, sonu, existing.id) == ["created", "updated", "updated"]


async def test_concurrent_undo_requests_start_one_undo(system, worker, database):
    sonu = await system.new_user("sonu")
    batches = [[["", f"task {turn} {number}", ""] for number in range(1000)] for turn in range(3)]
    finished = await run_import(system, sonu, worker, *batches)
    responses = await asyncio.gather(*(undo(system, sonu, finished.id) for _ in range(8)))
    assert all(response.HasField("undo") for response in responses)
    assert len({str(response.undo.started_at) for response in responses}) == 1
    last = await wait_until_over(system, sonu, finished.id)
    assert (last.undo.state, last.undo.deleted) == (UNDO_SUCCEEDED, 3000)
    assert await undo(system, sonu, finished.id) == last
    events_by_action = (
        "SELECT action, count(*), count(DISTINCT task_id) FROM tasks.task_events GROUP BY action ORDER BY action"
    )
    assert await database.execute(events_by_action) == [("created", 3000, 3000), ("deleted", 3000, 3000)]
    live = "SELECT count(*) FROM tasks.tasks WHERE deleted_at IS NULL"
    assert await database.execute(live) == [(0,)]


async def test_watch_of_an_ended_import_reports_its_undo(system, worker):
    sonu = await system.new_user("sonu")
    finished = await run_import(system, sonu, worker, [["", f"task {number}", ""] for number in range(1200)])
    assert await wait_until_over(system, sonu, finished.id) == finished
    await undo(system, sonu, finished.id)
    request = import_service_pb2.WatchImportRequest(id=finished.id)
    undo_states = [found.undo async for found in system.imports.WatchImport(request, metadata=sonu.metadata)]
    assert [item.deleted for item in undo_states] == sorted(item.deleted for item in undo_states)
    assert (undo_states[-1].state, undo_states[-1].deleted) == (UNDO_SUCCEEDED, 1200)


async def test_cancelled_import_can_be_undone_and_repeated(system, worker):
    sonu = await system.new_user("sonu")
    data = b"title\na\n"
    queued = await upload(system, sonu, data, allow_same_file=False)
    lease = await worker.claim()
    await worker.stream(lease, batch(lease.checkpoint, ["a"], size=2), END)
    assert (await refused(upload(system, sonu, data, allow_same_file=False))).reason == "DUPLICATE_FILE"
    assert await run_undo(system, sonu, queued.id) == (1, 0, 0)
    again = await upload(system, sonu, data, allow_same_file=False)
    await worker.claim()
    await system.imports.CancelImport(import_service_pb2.CancelImportRequest(id=again.id), metadata=sonu.metadata)
    assert await run_undo(system, sonu, again.id) == (0, 0, 0)


async def test_import_waits_for_a_running_undo_of_its_owner(system, worker, database):
    sonu, mina = await system.new_user("sonu"), await system.new_user("mina")
    finished = await run_import(system, sonu, worker, [["A-1", "a", ""]])
    async with await psycopg.AsyncConnection.connect(database.tasks_url) as locking:
        await locking.execute("SELECT FROM tasks.tasks WHERE import_id = %s FOR UPDATE", [finished.id])
        await undo(system, sonu, finished.id)
        await upload(system, sonu)
        assert await worker.claim() is None
        other_import = await upload(system, mina)
        assert (await worker.claim()).import_id == other_import.id
    assert (await wait_until_over(system, sonu, finished.id)).undo.deleted == 1
    assert await worker.claim() is not None


@pytest.mark.parametrize(
    ("state", "reason", "message"),
    [
        ("queued", "IMPORT_NOT_ENDED", "is queued. Cancel it"),
        ("running", "IMPORT_NOT_ENDED", "is running. Cancel it"),
        ("validated", "NOTHING_TO_UNDO", "dry run"),
    ],
)
async def test_running_or_dry_run_import_can_not_be_undone(system, worker, state, reason, message):
    sonu = await system.new_user("sonu")
    queued = await upload(system, sonu, validate_only=state == "validated")
    if state != "queued":
        lease = await worker.claim()
        if state == "validated":
            await worker.stream(lease, END)
    status = await refused(undo(system, sonu, queued.id))
    assert (status.code, status.reason) == (grpc.StatusCode.FAILED_PRECONDITION, reason)
    assert message in status.message
    assert not (await get(system, sonu, queued.id)).HasField("undo")


async def test_purge_of_a_task_deletes_its_import_snapshot(system, worker, database):
    sonu, admin = await system.new_user("sonu"), await system.new_admin()
    existing = await create(system, sonu, title="secret", external_id="A")
    await run_import(system, sonu, worker, [["A", "new", ""]], on_duplicate=UPDATE)
    await delete(system, sonu, existing.id)
    await purge(system, admin, existing.id)
    assert await database.execute("SELECT count(*) FROM tasks.import_updates") == [(0,)]


async def test_undo_deletes_all_snapshots(system, worker, database):
    """They contain the old text of tasks, and a finished undo needs none of them."""
    sonu = await system.new_user("sonu")
    await create(system, sonu, title="secret", external_id="A")
    found = await run_import(system, sonu, worker, [["A", "new", ""]], on_duplicate=UPDATE)
    assert await run_undo(system, sonu, found.id) == (0, 1, 0)
    assert await database.execute("SELECT count(*) FROM tasks.import_updates") == [(0,)]
