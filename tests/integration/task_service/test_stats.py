"""Counts of tasks by status and by day of completion."""

from datetime import UTC, datetime, timedelta

import grpc
import pytest
from taskmanager.tasks.v1 import task_pb2, task_service_pb2

import task_service.tasks.bootstrap
from task_service.tasks.usecases.scans import ScanLimits
from tests.integration.task_service.calls import create, delete, update
from tests.support.grpc_calls import expect_failure

Status = task_pb2.Task.Status


def get_stats(system, person, **fields):
    return system.tasks.GetTaskStats(task_service_pb2.GetTaskStatsRequest(**fields), metadata=person.metadata)


async def test_stats_count_owned_and_assigned_tasks_once(system):
    sonu, mina, admin = await system.new_user("sonu"), await system.new_user("mina"), await system.new_admin()
    await create(system, sonu, title="late", due_date="2020-01-01", assignee_id=sonu.id)
    await create(system, sonu, title="late but done", due_date="2020-01-01", status=Status.STATUS_COMPLETED)
    await create(system, mina, title="hers and his", status=Status.STATUS_IN_PROGRESS, assignee_id=sonu.id)
    await create(system, mina, title="hers", status=Status.STATUS_CANCELLED)
    deleted = await create(system, sonu, title="gone")
    await delete(system, sonu, deleted.id)
    mine = await get_stats(system, sonu)
    assert (mine.total, mine.pending, mine.in_progress, mine.completed, mine.cancelled, mine.overdue) == (
        3,
        1,
        1,
        1,
        0,
        1,
    )
    hers = await get_stats(system, admin, owner_id=mina.id)
    assert (hers.total, hers.in_progress, hers.cancelled, hers.overdue) == (2, 1, 1, 0)
    assert (await get_stats(system, admin, owner_id="-")).total == 4
    assert (await get_stats(system, admin)).total == 0
    assert (await expect_failure(get_stats(system, sonu, owner_id=mina.id))).code is grpc.StatusCode.PERMISSION_DENIED


@pytest.fixture
def small_steps(monkeypatch):
    """Let the service, which starts later, read two rows in a step."""
    monkeypatch.setattr(task_service.tasks.bootstrap, "SCAN_LIMITS", ScanLimits(stats_step_rows=2))


@pytest.mark.usefixtures("small_steps")
async def test_counts_in_many_steps_are_the_same(system):
    """Steps end between two tasks of one owner, and between two owners."""
    sonu, mina, admin = await system.new_user("sonu"), await system.new_user("mina"), await system.new_admin()
    for person in (sonu, mina, sonu, admin, sonu):
        await create(system, person, title="x", assignee_id=mina.id)
    for person, owner_id, total in ((admin, "-", 5), (admin, sonu.id, 3), (mina, "", 5), (sonu, "", 3)):
        assert (await get_stats(system, person, owner_id=owner_id)).total == total


@pytest.fixture
def no_time_to_count(monkeypatch):
    """Let the service, which starts later, end counts after one step of two rows."""
    limits = ScanLimits(stats_step_rows=2, max_stats_seconds=0)
    monkeypatch.setattr(task_service.tasks.bootstrap, "SCAN_LIMITS", limits)


@pytest.mark.usefixtures("no_time_to_count")
async def test_counting_that_takes_too_long_is_refused(system):
    """Counts that end with the step that is the last in time are complete."""
    sonu, mina = await system.new_user("sonu"), await system.new_user("mina")
    for person in (sonu, mina, mina):
        await create(system, person, title="x")
    assert (await get_stats(system, sonu)).total == 1
    assert await expect_failure(get_stats(system, mina)) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "QUERY_TOO_EXPENSIVE",
        [("owner_id", "QUERY_TOO_EXPENSIVE")],
    )


async def test_completions_by_day_include_empty_days(system, database):
    sonu = await system.new_user("sonu")
    today = datetime.now(UTC).date()
    for days in (0, 0, 2, 40):
        task = await create(system, sonu, title="x")
        done = await update(system, sonu, task.id, status=Status.STATUS_COMPLETED)
        await database.execute(
            f"UPDATE tasks.tasks SET completed_at = '{today - timedelta(days=days)}T00:00:00Z' WHERE id = '{done.id}'"
        )
    found = (await get_stats(system, sonu, days=3)).completed_per_day
    assert [(day.date, day.count) for day in found] == [
        ((today - timedelta(days=2)).isoformat(), 1),
        ((today - timedelta(days=1)).isoformat(), 0),
        (today.isoformat(), 2),
    ]
    assert len((await get_stats(system, sonu)).completed_per_day) == 30


@pytest.mark.parametrize("days", [-1, 367])
async def test_days_out_of_range_are_rejected(system, days):
    sonu = await system.new_user("sonu")
    assert (await expect_failure(get_stats(system, sonu, days=days)))[1:] == (
        "DAYS_OUT_OF_RANGE",
        [("days", "DAYS_OUT_OF_RANGE")],
    )
