"""Undoing an import through the front door."""

import asyncio

import grpc
import psycopg
import pytest
from taskmanager.imports.v1 import import_pb2, import_service_pb2
from taskmanager.tasks.v1 import task_pb2

from tests.integration.task_service import calls
from tests.integration.task_service.calls import actions_of, create, delete, events_of, list_ids, purge, update
from tests.integration.task_service.import_calls import END, batch, get, refused, upload

UPDATE = import_service_pb2.UploadOptions.ON_DUPLICATE_UPDATE
CHANGED, DELETED = import_pb2.UndoConflict.REASON_CHANGED, import_pb2.UndoConflict.REASON_DELETED
DONE = import_pb2.Import.Undo.STATE_SUCCEEDED


async def imported(system, person, worker, *batches: list[list[str]], **options) -> import_pb2.Import:
    queued = await upload(system, person, b"external_id,title,status\n" + b"x" * 4000, **options)
    lease = await worker.claim()
    said, begin = [], lease.checkpoint
    for rows in batches:
        said.append(batch(begin, *rows, size=5))
        begin = said[-1].batch.end
    await worker.stream(lease, *said, END)
    return await get(system, person, queued.id)


async def undo(system, person, import_id: str) -> import_pb2.Import:
    request = import_service_pb2.UndoImportRequest(id=import_id)
    return await system.imports.UndoImport(request, metadata=person.metadata)


async def over(system, person, import_id: str) -> import_pb2.Import:
    """The import when nothing happens to it any more."""
    request = import_service_pb2.WatchImportRequest(id=import_id)
    *_, last = [found async for found in system.imports.WatchImport(request, metadata=person.metadata)]
    return last


async def undone(system, person, import_id: str) -> tuple[int, int, int]:
    """How many tasks the undo has deleted, restored and kept."""
    await undo(system, person, import_id)
    found = (await over(system, person, import_id)).undo
    assert found.state == DONE
    assert found.HasField("finished_at")
    return found.deleted, found.restored, found.kept


async def kept(system, person, import_id: str, size: int = 0) -> dict[str, int]:
    """Why which task was kept, from all pages."""
    found: list[import_pb2.UndoConflict] = []
    token = ""
    while True:
        request = import_service_pb2.ListUndoConflictsRequest(import_id=import_id, page_size=size, page_token=token)
        page = await system.imports.ListUndoConflicts(request, metadata=person.metadata)
        found += page.conflicts
        token = page.next_page_token
        if not token:
            assert [one.task_id for one in found] == sorted(one.task_id for one in found)
            return {one.task_id: one.reason for one in found}


async def test_undo_deletes_created_and_reverts_changed_tasks(system, worker):
    sonu, admin = await system.new_user("sonu"), await system.new_admin()
    there = await create(
        system, sonu, title="old", external_id="A", labels=["a"], status=task_pb2.Task.STATUS_COMPLETED
    )
    same = await create(system, sonu, title="same", external_id="S")
    rows = [["A", "new", "pending"], ["S", "same", ""], ["B", "b", ""], ["", "c", ""], ["B", "b again", ""]]
    done = await imported(system, sonu, worker, rows, [["A", "newer", ""]], on_duplicate=UPDATE)
    assert not done.HasField("undo")
    assert await undone(system, admin, done.id) == (2, 1, 0)
    back = await calls.get(system, sonu, there.id)
    for field in ("title", "description", "status", "labels", "completed_at", "created_at", "external_id"):
        assert getattr(back, field) == getattr(there, field)
    assert back.etag == "4"
    assert await calls.get(system, sonu, same.id) == same
    assert set(await list_ids(system, sonu)) == {there.id, same.id}
    assert len(await list_ids(system, sonu, import_id=done.id, show_deleted=True)) == 2
    *_, last = await events_of(system, sonu, there.id)
    assert (last.actor_id, last.occurred_at) == (admin.id, back.updated_at)
    assert {(change.field, change.old, change.new) for change in last.changes} == {
        ("title", "newer", "old"),
        ("status", "pending", "completed"),
    }
    for task_id in await list_ids(system, sonu, import_id=done.id, show_deleted=True):
        *_, last = await events_of(system, sonu, task_id)
        assert (last.action, last.actor_id) == (last.ACTION_DELETED, admin.id)
        assert last.request_id
        assert (await calls.get(system, sonu, task_id)).HasField("purge_at")
    assert await kept(system, sonu, done.id) == {}


async def test_what_somebody_has_touched_since_stays_and_is_listed(system, worker):
    sonu, admin = await system.new_user("sonu"), await system.new_admin()
    there = {key: await create(system, sonu, title="old", external_id=key) for key in ("A", "B", "C", "D")}
    rows = [[key, f"new {key}", ""] for key in "ABCDEFGHI"]
    done = await imported(system, sonu, worker, rows, on_duplicate=UPDATE)
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
    assert await undone(system, sonu, done.id) == (1, 1, 5)
    reasons = {"A": CHANGED, "B": DELETED, "E": CHANGED, "F": DELETED, "G": CHANGED}
    assert await kept(system, sonu, done.id, size=2) == {found[key].id: reason for key, reason in reasons.items()}
    assert (await calls.get(system, sonu, found["A"].id)).title == "mine"
    assert (await calls.get(system, sonu, there["D"].id)).title == "old"
    assert await actions_of(system, sonu, found["I"].id) == ["created", "deleted"]


async def test_a_change_between_two_changes_of_the_import_is_not_lost(system, worker):
    """The import found the second time what somebody had written: its first "before" would undo that as well."""
    sonu = await system.new_user("sonu")
    there = await create(system, sonu, title="old", external_id="A")
    queued = await upload(system, sonu, b"external_id,title,status\n" + b"x,y,\n" * 4, on_duplicate=UPDATE)
    lease = await worker.claim()
    first = batch(lease.checkpoint, ["A", "new", ""], ["B", "b", ""], size=5)
    await worker.stream(lease, first)
    (made,) = await list_ids(system, sonu, import_id=queued.id)
    for task_id in (there.id, made):
        await update(system, sonu, task_id, description="mine")
    second = batch(first.batch.end, ["A", "newer", ""], ["B", "bb", ""], size=5)
    await worker.stream(lease, second, END)
    assert await undone(system, sonu, queued.id) == (0, 0, 2)
    assert await kept(system, sonu, queued.id) == {there.id: CHANGED, made: CHANGED}
    assert (await calls.get(system, sonu, there.id)).description == "mine"


async def test_undo_of_a_reverted_change_records_no_event(system, worker):
    sonu = await system.new_user("sonu")
    there = await create(system, sonu, title="old", external_id="A")
    done = await imported(system, sonu, worker, [["A", "new", ""], ["A", "old", ""]], on_duplicate=UPDATE)
    assert await undone(system, sonu, done.id) == (0, 1, 0)
    assert await actions_of(system, sonu, there.id) == ["created", "updated", "updated"]


async def test_twins_begin_one_undo_and_asking_again_answers_it(system, worker, database):
    sonu = await system.new_user("sonu")
    batches = [[["", f"task {turn} {number}", ""] for number in range(1000)] for turn in range(3)]
    done = await imported(system, sonu, worker, *batches)
    answers = await asyncio.gather(*(undo(system, sonu, done.id) for _ in range(8)))
    assert all(answer.HasField("undo") for answer in answers)
    assert len({str(answer.undo.started_at) for answer in answers}) == 1
    last = await over(system, sonu, done.id)
    assert (last.undo.state, last.undo.deleted) == (DONE, 3000)
    assert await undo(system, sonu, done.id) == last
    told = "SELECT action, count(*), count(DISTINCT task_id) FROM tasks.task_events GROUP BY action ORDER BY action"
    assert await database.execute(told) == [("created", 3000, 3000), ("deleted", 3000, 3000)]
    live = "SELECT count(*) FROM tasks.tasks WHERE deleted_at IS NULL"
    assert await database.execute(live) == [(0,)]


async def test_a_watcher_of_an_ended_import_sees_its_undo_to_the_end(system, worker):
    sonu = await system.new_user("sonu")
    done = await imported(system, sonu, worker, [["", f"task {number}", ""] for number in range(1200)])
    assert await over(system, sonu, done.id) == done
    await undo(system, sonu, done.id)
    request = import_service_pb2.WatchImportRequest(id=done.id)
    seen = [found.undo async for found in system.imports.WatchImport(request, metadata=sonu.metadata)]
    assert [one.deleted for one in seen] == sorted(one.deleted for one in seen)
    assert (seen[-1].state, seen[-1].deleted) == (DONE, 1200)


async def test_cancelled_import_can_be_undone_and_repeated(system, worker):
    sonu = await system.new_user("sonu")
    data = b"title\na\n"
    queued = await upload(system, sonu, data, allow_same_file=False)
    lease = await worker.claim()
    await worker.stream(lease, batch(lease.checkpoint, ["a"], size=2), END)
    assert (await refused(upload(system, sonu, data, allow_same_file=False)))[1] == "DUPLICATE_FILE"
    assert await undone(system, sonu, queued.id) == (1, 0, 0)
    again = await upload(system, sonu, data, allow_same_file=False)
    await worker.claim()
    await system.imports.CancelImport(import_service_pb2.CancelImportRequest(id=again.id), metadata=sonu.metadata)
    assert await undone(system, sonu, again.id) == (0, 0, 0)


async def test_import_waits_for_a_running_undo_of_its_owner(system, worker, database):
    sonu, mina = await system.new_user("sonu"), await system.new_user("mina")
    done = await imported(system, sonu, worker, [["A-1", "a", ""]])
    async with await psycopg.AsyncConnection.connect(database.tasks_url) as holding:
        await holding.execute("SELECT FROM tasks.tasks WHERE import_id = %s FOR UPDATE", [done.id])
        await undo(system, sonu, done.id)
        await upload(system, sonu)
        assert await worker.claim() is None
        others = await upload(system, mina)
        assert (await worker.claim()).import_id == others.id
    assert (await over(system, sonu, done.id)).undo.deleted == 1
    assert await worker.claim() is not None


@pytest.mark.parametrize(
    ("prepare", "reason", "message"),
    [
        ("queued", "IMPORT_NOT_ENDED", "is queued. Cancel it"),
        ("running", "IMPORT_NOT_ENDED", "is running. Cancel it"),
        ("validated", "NOTHING_TO_UNDO", "dry run"),
    ],
)
async def test_running_or_dry_run_import_can_not_be_undone(system, worker, prepare, reason, message):
    sonu = await system.new_user("sonu")
    queued = await upload(system, sonu, validate_only=prepare == "validated")
    if prepare != "queued":
        lease = await worker.claim()
        if prepare == "validated":
            await worker.stream(lease, END)
    code, found, text = await refused(undo(system, sonu, queued.id))
    assert (code, found) == (grpc.StatusCode.FAILED_PRECONDITION, reason)
    assert message in text
    assert not (await get(system, sonu, queued.id)).HasField("undo")


async def test_a_purged_task_takes_what_the_import_knew_of_it_along(system, worker, database):
    sonu, admin = await system.new_user("sonu"), await system.new_admin()
    there = await create(system, sonu, title="secret", external_id="A")
    await imported(system, sonu, worker, [["A", "new", ""]], on_duplicate=UPDATE)
    await delete(system, sonu, there.id)
    await purge(system, admin, there.id)
    assert await database.execute("SELECT count(*) FROM tasks.import_updates") == [(0,)]
