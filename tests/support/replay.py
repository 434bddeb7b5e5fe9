"""Replay of the event log: applied in its order, revision by revision, the events give every task."""

import json
from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

import psycopg

_EVENTS = """
    SELECT task_id::text, revision, action, occurred_at, changes, coalesce(free_text, '{}')
    FROM tasks.task_events ORDER BY transaction_number, id
"""
_TASKS = """
    SELECT id::text, revision, deleted_at IS NOT NULL, completed_at, json_build_object(
        'owner_id', owner_id, 'title', title, 'description', description, 'status', status, 'priority', priority,
        'due_date', coalesce(due_date::text, ''), 'labels', array_to_string(labels, ','), 'external_id', external_id,
        'assignee_id', coalesce(assignee_id::text, ''))
    FROM tasks.tasks
"""


def assert_events_give_every_task(postgres_url: str) -> int:
    """Compare the replayed log with the tasks, and each change's old value with the value before; return its length.

    An event that changes the status sets completed_at to its own time, or clears it, unless it has another one.
    """
    values: defaultdict[str, dict[str, str]] = defaultdict(dict)
    revisions: defaultdict[str, int] = defaultdict(int)
    purged = set()
    # Both statements read one snapshot: nothing is between the events and the tasks.
    with psycopg.connect(postgres_url) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        for task_id, revision, action, occurred_at, changes, free_text in connection.execute(_EVENTS):
            assert revision == revisions[task_id] + 1, (task_id, revision, revisions[task_id])
            revisions[task_id] = revision
            pairs = _pairs(changes, json.loads(free_text))
            for field, (old, new) in pairs.items():
                assert values[task_id].get(field, "") == old, (task_id, revision, field)
                values[task_id][field] = new
            if "status" in pairs and "completed_at" not in pairs:
                completed = values[task_id]["status"] == "completed"
                values[task_id]["completed_at"] = _time_text(occurred_at) if completed else ""
            if action == "purged":
                purged.add(task_id)
        tasks = connection.execute(_TASKS).fetchall()
    for task_id, revision, is_deleted, completed_at, fields in tasks:
        assert values[task_id].get("completed_at", "") == _time_text(completed_at), task_id
        assert (revisions[task_id], bool(values[task_id].get("deleted_at"))) == (revision, is_deleted), task_id
        assert {field: values[task_id].get(field, "") for field in fields} == fields, task_id
    assert {task_id for task_id, *_ in tasks} == revisions.keys() - purged
    return sum(revisions.values())


def _pairs(changes: dict[str, Any], free_text: dict[str, Any]) -> dict[str, Any]:
    return {field: pair or free_text[field] for field, pair in changes.items()}


def _time_text(moment: datetime | None) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z") if moment else ""
