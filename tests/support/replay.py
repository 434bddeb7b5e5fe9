"""Replay of the event log: applied in its order, revision by revision, the events give every task."""

import json
from collections import defaultdict
from typing import Any

import psycopg

_EVENTS = """
    SELECT task_id::text, revision, action, changes, coalesce(free_text, '{}')
    FROM tasks.task_events ORDER BY transaction_number, id
"""
_TASKS = """
    SELECT id::text, revision, deleted_at IS NOT NULL, json_build_object(
        'owner_id', owner_id, 'title', title, 'description', description, 'status', status, 'priority', priority,
        'due_date', coalesce(due_date::text, ''), 'labels', array_to_string(labels, ','), 'external_id', external_id,
        'assignee_id', coalesce(assignee_id::text, ''))
    FROM tasks.tasks
"""


def assert_events_give_every_task(postgres_url: str) -> int:
    """Compare the replayed log with the tasks, and each change's old value with the value before; return its length."""
    values: defaultdict[str, dict[str, str]] = defaultdict(dict)
    revisions: defaultdict[str, int] = defaultdict(int)
    purged = set()
    # Both statements read one snapshot: nothing is between the events and the tasks.
    with psycopg.connect(postgres_url) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        for task_id, revision, action, changes, free_text in connection.execute(_EVENTS):
            assert revision == revisions[task_id] + 1, (task_id, revision, revisions[task_id])
            revisions[task_id] = revision
            for field, (old, new) in _pairs(changes, json.loads(free_text)).items():
                assert values[task_id].get(field, "") == old, (task_id, revision, field)
                values[task_id][field] = new
            if action == "purged":
                purged.add(task_id)
        tasks = connection.execute(_TASKS).fetchall()
    for task_id, revision, is_deleted, fields in tasks:
        assert (revisions[task_id], bool(values[task_id].get("deleted_at"))) == (revision, is_deleted), task_id
        assert {field: values[task_id].get(field, "") for field in fields} == fields, task_id
    assert {task_id for task_id, *_ in tasks} == revisions.keys() - purged
    return sum(revisions.values())


def _pairs(changes: dict[str, Any], free_text: dict[str, Any]) -> dict[str, Any]:
    return {field: pair or free_text[field] for field, pair in changes.items()}
