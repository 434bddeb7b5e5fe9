"""Search words, and reads in steps."""

from typing import Any

import grpc
import pytest
from taskmanager.tasks.v1 import task_service_pb2

from tests.integration.task_service.calls import create, list_ids
from tests.support.grpc_calls import expect_failure

STEPS_OF_A_SCAN = 2.2
TASKS = int(STEPS_OF_A_SCAN * 5_000)
LINES: list[tuple[dict[str, Any], int]] = [
    ({}, TASKS + 1),
    ({"q": "rare", "order_by": "created_at asc"}, 5),
    ({"q": "none"}, 1),
]


async def test_repeated_words_count_once(system, sonu):
    """Ninety-nine words that are the same word are one; case makes no difference."""
    task = await create(system, sonu, title="a B c d e f g h")
    assert await list_ids(system, sonu, q="a A " * 49) == [task.id]
    assert await list_ids(system, sonu, q="a b c d e f g h") == [task.id]
    assert await list_ids(system, sonu, q="a b c d e f g x") == []


@pytest.mark.parametrize("method", ["ListTasks", "ExportTasks"])
async def test_nine_different_words_are_refused(system, sonu, method):
    q = "a b c d e f g h i"
    if method == "ListTasks":
        call = system.tasks.ListTasks(task_service_pb2.ListTasksRequest(q=q), metadata=sonu.metadata)
    else:
        call = system.tasks.ExportTasks(task_service_pb2.ExportTasksRequest(q=q), metadata=sonu.metadata).read()
    assert await expect_failure(call) == (grpc.StatusCode.INVALID_ARGUMENT, "TOO_MANY_WORDS", [("q", "TOO_MANY_WORDS")])


async def test_steps_of_a_scan_add_up(system, sonu, database):
    """Stats and exports of many tasks read them in several steps, each task once."""
    mina = await system.new_user("mina")
    owned, assigned = f"'{sonu.id}'::uuid, NULL::uuid", f"'{mina.id}'::uuid, '{sonu.id}'::uuid"
    for number, people in enumerate((owned, assigned)):
        await database.execute(f"""
            INSERT INTO tasks.tasks (owner_id, assignee_id, id, title, description, status, priority, external_id,
                created_at, updated_at, completed_at, revision)
            SELECT {people}, uuidv7(make_interval(secs => -2 * n - {number})),
                CASE WHEN n % 2500 = 0 THEN 'rare' ELSE 'x' END, '', 'completed', 'none', '', now(), now(), now(), 1
            FROM generate_series(1, {TASKS // 2}) n
        """)
    await database.execute("ANALYZE tasks.tasks")
    stats = await system.tasks.GetTaskStats(task_service_pb2.GetTaskStatsRequest(), metadata=sonu.metadata)
    assert (stats.total, stats.completed, sum(day.count for day in stats.completed_per_day)) == (TASKS, TASKS, TASKS)
    for fields, lines in LINES:
        export = system.tasks.ExportTasks(task_service_pb2.ExportTasksRequest(**fields), metadata=sonu.metadata)
        assert b"".join([body.data async for body in export]).count(b"\n") == lines
