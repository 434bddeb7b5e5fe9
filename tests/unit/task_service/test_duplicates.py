"""Resolution of duplicates: each row has exactly one result, and the last row of a task wins."""

from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from task_service.imports.domain.duplicates import KeyedRow, OnDuplicate, resolve_duplicates
from task_service.tasks.domain.task import Task, TaskDraft, Values, new_task

NOW = datetime(2026, 3, 31, tzinfo=UTC)
ROWS = st.lists(st.tuples(st.sampled_from("ABC"), st.sampled_from("xyz")), max_size=12)


def values_of(key: str, title: str) -> Values:
    return TaskDraft(title=title, external_id=key).validate()


def tasks_of(titles: Mapping[str, str]) -> dict[str, Task]:
    return {
        key: new_task(values_of(key, title), task_id=UUID(int=ord(key)), owner_id=UUID(int=1))
        for key, title in titles.items()
    }


def rows_of(rows: list[tuple[str, str]]) -> list[KeyedRow]:
    return [KeyedRow(index, index, values_of(key, title), {"title": title}) for index, (key, title) in enumerate(rows)]


@given(ROWS, st.dictionaries(st.sampled_from("ABC"), st.sampled_from("xyz")), st.sampled_from(OnDuplicate))
def test_every_row_is_resolved_once(rows, existing, rule):
    resolution = resolve_duplicates(rule, rows_of(rows), tasks_of(existing), NOW)
    created, changes, *others = (getattr(resolution, field.name) for field in fields(resolution))
    assert len(created) + len(changes) + sum(map(len, others)) == len(rows)
    assert sorted(row.values.external_id for row in created) == sorted({key for key, _ in rows} - set(existing))
    expected = {
        OnDuplicate.FAIL: [resolution.rejected],
        OnDuplicate.SKIP: [resolution.skipped],
        OnDuplicate.UPDATE: [resolution.unchanged, resolution.deferred],
    }
    assert sum(map(len, others)) == sum(map(len, expected[rule]))


@given(ROWS, st.dictionaries(st.sampled_from("ABC"), st.sampled_from("xyz")))
def test_last_row_of_a_task_wins(rows, existing):
    first = resolve_duplicates(OnDuplicate.UPDATE, rows_of(rows), tasks_of(existing), NOW)
    created = {row.values.external_id: row.values.title for row in first.created}
    second = resolve_duplicates(OnDuplicate.UPDATE, first.deferred, tasks_of(created), NOW)
    assert (second.created, second.deferred) == ([], [])
    titles = {**existing, **created}
    for results in (first.results, second.results):
        titles |= {key: task.title for key, task in results.items()}
    assert titles == {**existing, **dict(rows)}
    for change in (*first.changes, *second.changes):
        assert change.after.revision == change.before.revision + 1
        assert change.after.title != change.before.title
