"""Changing tasks: masks, etags, status, labels, external ids and assignees."""

import asyncio
import itertools
from typing import Any

import grpc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from taskmanager.tasks.v1 import task_pb2

from chassis.kernel.errors import Invalid
from task_service.tasks.domain.task import TaskDraft
from tests.integration.task_service.calls import create, delete, events_of, get, refused, update

Status = task_pb2.Task.Status
INVALID = grpc.StatusCode.INVALID_ARGUMENT


async def test_only_what_the_mask_names_is_written(system):
    sonu = await system.new_user("sonu")
    task = await create(system, sonu, title="Old", description="Kept", labels=["a", "b"], due_date="2026-03-31")
    changed = await update(system, sonu, task.id, ["title", "due_date"], title="New", description="Not said")
    assert (changed.title, changed.description, changed.due_date, list(changed.labels)) == (
        "New",
        "Kept",
        "",
        ["a", "b"],
    )
    assert changed.etag != task.etag
    assert await get(system, sonu, task.id) == changed


async def test_without_a_mask_what_is_said_is_written(system):
    sonu = await system.new_user("sonu")
    task = await create(system, sonu, title="Old", description="Kept")
    changed = await update(system, sonu, task.id, [], title="New")
    assert (changed.title, changed.description) == ("New", "Kept")


async def test_empty_masked_field_is_reset_to_its_default(system):
    sonu = await system.new_user("sonu")
    task = await create(
        system, sonu, title="x", description="d", status=Status.STATUS_COMPLETED, external_id="e", assignee_id=sonu.id
    )
    fields = ["description", "status", "external_id", "assignee_id"]
    changed = await update(system, sonu, task.id, fields)
    assert (changed.description, changed.status, changed.external_id, changed.assignee_id) == (
        "",
        Status.STATUS_PENDING,
        "",
        "",
    )


async def test_mask_star_replaces_all_fields(system):
    """The mask "*" has all fields that can be written (AIP-134). Those that are not set get their default."""
    sonu = await system.new_user("sonu")
    task = await create(
        system, sonu, title="x", description="d", labels=["a"], status=Status.STATUS_COMPLETED, external_id="e"
    )
    changed = await update(system, sonu, task.id, ["*"], title="New", etag=task.etag)
    assert (changed.title, changed.description, list(changed.labels), changed.status, changed.external_id) == (
        "New",
        "",
        [],
        Status.STATUS_PENDING,
        "",
    )
    assert (changed.id, changed.owner_id) == (task.id, task.owner_id)
    assert await refused(update(system, sonu, task.id, ["*"])) == (INVALID, "BLANK_TITLE", [("title", "BLANK_TITLE")])
    assert (await refused(update(system, sonu, task.id, ["*", "title"], title="x")))[2] == [("*", "UNKNOWN_FIELD")]


def test_update_errors_have_a_fixed_order():
    draft = TaskDraft(title="", description="d" * 20_001, due_date="soon")
    for mask in itertools.permutations(["title", "description", "due_date", "owner_id", "colour"]):
        with pytest.raises(Invalid) as caught:
            draft.validate_changes(mask)
        assert [wrong.field for wrong in caught.value.violations] == [
            "title",
            "description",
            "due_date",
            "colour",
            "owner_id",
        ]


async def test_update_lists_every_invalid_field(system):
    sonu = await system.new_user("sonu")
    task = await create(system, sonu, title="x")
    fields = ["title", "due_date", "labels", "owner_id", "created_at", "colour", "assignee_id"]
    wrong: dict[str, Any] = {"title": " ", "due_date": "soon", "labels": ["a,b"], "assignee_id": "me"}
    code, _, violations = await refused(update(system, sonu, task.id, fields, **wrong))
    assert code is INVALID
    assert sorted(violations) == [
        ("assignee_id", "MALFORMED_ID"),
        ("colour", "UNKNOWN_FIELD"),
        ("created_at", "READ_ONLY_FIELD"),
        ("due_date", "MALFORMED_DATE"),
        ("labels", "COMMA_IN_LABEL"),
        ("owner_id", "READ_ONLY_FIELD"),
        ("title", "BLANK_TITLE"),
    ]
    assert await get(system, sonu, task.id) == task


async def test_event_has_old_and_new_values(system):
    sonu = await system.new_user("sonu")
    task = await create(system, sonu, title="Old", labels=["a"])
    await update(system, sonu, task.id, title="New", labels=["a", "b"], description="")
    _, event = await events_of(system, sonu, task.id)
    assert {change.field: (change.old, change.new) for change in event.changes} == {
        "title": ("Old", "New"),
        "labels": ("a", "a,b"),
    }


async def test_an_update_that_changes_nothing_leaves_no_trace(system):
    sonu = await system.new_user("sonu")
    task = await create(system, sonu, title="Same", labels=["a"])
    assert await update(system, sonu, task.id, title=" Same ", labels=["a", "a"]) == task
    assert len(await events_of(system, sonu, task.id)) == 1


async def test_completing_sets_completed_at_and_reopening_clears_it(system):
    sonu = await system.new_user("sonu")
    task = await create(system, sonu, title="x")
    done = await update(system, sonu, task.id, status=Status.STATUS_COMPLETED)
    assert done.completed_at == done.updated_at
    later = await update(system, sonu, task.id, title="y")
    assert later.completed_at == done.completed_at
    assert not (await update(system, sonu, task.id, status=Status.STATUS_CANCELLED)).HasField("completed_at")


async def test_another_etag_writes_nothing_and_the_task_s_own_does(system):
    sonu = await system.new_user("sonu")
    task = await create(system, sonu, title="x")
    changed = await update(system, sonu, task.id, title="y", etag=task.etag)
    for call in (
        update(system, sonu, task.id, title="z", etag=task.etag),
        delete(system, sonu, task.id, etag=task.etag),
    ):
        assert (await refused(call))[:2] == (grpc.StatusCode.ABORTED, "ETAG_MISMATCH")
    assert await get(system, sonu, task.id) == changed


async def test_of_two_at_once_with_the_same_etag_exactly_one_writes(system):
    sonu = await system.new_user("sonu")
    task = await create(system, sonu, title="x")
    answers = await asyncio.gather(
        *(update(system, sonu, task.id, title=f"y{number}", etag=task.etag) for number in range(10)),
        return_exceptions=True,
    )
    assert sum(isinstance(answer, task_pb2.Task) for answer in answers) == 1
    assert len(await events_of(system, sonu, task.id)) == 2


async def test_a_deleted_task_is_not_changed(system):
    sonu = await system.new_user("sonu")
    task = await create(system, sonu, title="x")
    await delete(system, sonu, task.id)
    call = update(system, sonu, task.id, title="y")
    assert (await refused(call))[:2] == (grpc.StatusCode.FAILED_PRECONDITION, "TASK_DELETED")


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        ([""], "BLANK_LABEL"),
        (["a,b"], "COMMA_IN_LABEL"),
        (["a" * 65], "LABEL_TOO_LONG"),
        (["a\0"], "FORBIDDEN_CHARACTER"),
        ([str(number) for number in range(51)], "TOO_MANY_LABELS"),
    ],
)
async def test_a_wrong_label_is_refused(system, labels, reason):
    sonu = await system.new_user("sonu")
    assert await refused(create(system, sonu, title="x", labels=labels)) == (INVALID, reason, [("labels", reason)])


async def test_labels_are_kept_in_order_each_once(system):
    sonu = await system.new_user("sonu")
    labels = [*(str(number) for number in range(49)), "ж" * 64, " 7 "]
    assert (await create(system, sonu, title="x", labels=labels)).labels == labels[:-1]


async def test_external_id_is_unique_among_live_tasks_of_an_owner(system):
    sonu, mina = await system.new_user("sonu"), await system.new_user("mina")
    first = await create(system, sonu, title="x", external_id="A-1")
    await create(system, mina, title="x", external_id="A-1")
    second = await create(system, sonu, title="y")
    taken = (grpc.StatusCode.ALREADY_EXISTS, "EXTERNAL_ID_TAKEN", [("external_id", "EXTERNAL_ID_TAKEN")])
    assert await refused(create(system, sonu, title="x", external_id="A-1")) == taken
    assert await refused(update(system, sonu, second.id, external_id="A-1")) == taken
    await delete(system, sonu, first.id)
    assert (await update(system, sonu, second.id, external_id="A-1")).external_id == "A-1"


async def test_of_two_at_once_one_gets_the_external_id(system):
    sonu = await system.new_user("sonu")
    answers = await asyncio.gather(
        *(create(system, sonu, title="x", external_id="A-1") for _ in range(10)), return_exceptions=True
    )
    assert sum(isinstance(answer, task_pb2.Task) for answer in answers) == 1


async def test_assignee_loses_rights_when_unassigned(system):
    sonu, mina = await system.new_user("sonu"), await system.new_user("mina")
    task = await create(system, sonu, title="x", assignee_id=mina.id)
    changed = await update(system, mina, task.id, status=Status.STATUS_IN_PROGRESS)
    assert await get(system, sonu, task.id) == changed
    assert len(await events_of(system, mina, task.id)) == 2
    await update(system, sonu, task.id, assignee_id="")
    assert (await refused(get(system, mina, task.id)))[0] is grpc.StatusCode.NOT_FOUND


async def test_an_assignee_whom_nobody_knows_is_refused(system):
    sonu = await system.new_user("sonu")
    nobody = "0190b5a6-7f6e-7cc0-98d6-2f8a4b3c1d2e"
    task = await create(system, sonu, title="x")
    refusal = (INVALID, "UNKNOWN_ASSIGNEE", [("assignee_id", "UNKNOWN_ASSIGNEE")])
    assert await refused(create(system, sonu, title="x", assignee_id=nobody)) == refusal
    assert await refused(update(system, sonu, task.id, assignee_id=nobody)) == refusal


# A few letters and symbols are there without being seen: alone they are no title.
seen = st.characters(categories=("L", "N", "P", "S"), exclude_characters="\u115f\u1160\u2800\u3164\uffa0")
texts = st.text(seen, min_size=1, max_size=20)
drafts = st.builds(
    TaskDraft,
    title=texts,
    description=st.text(st.characters(categories=("L", "N", "P", "S")), max_size=20),
    status=st.sampled_from(["pending", "in_progress", "completed", "cancelled"]),
    priority=st.sampled_from(["none", "low", "medium", "high", "urgent"]),
    due_date=st.dates().map(lambda day: day.isoformat()) | st.just(""),
    external_id=st.sampled_from(["", "A-1", "ü"]),
    assignee_id=st.uuids().map(str) | st.just(""),
    labels=st.lists(st.sampled_from("abc"), unique=True).map(tuple),
    owner_id=st.just(""),
)
MASKS = st.sets(st.sampled_from(sorted(set(TaskDraft._fields) - {"owner_id"})), min_size=1)


@settings(max_examples=300, deadline=None)
@given(before=drafts, wanted=drafts, mask=MASKS)
def test_any_mask_takes_exactly_its_fields_from_the_new_values(before, wanted, mask):
    old, new = before.validate()._asdict(), wanted.validate()._asdict()
    assert {**old, **wanted.validate_changes(mask)} == {name: (new if name in mask else old)[name] for name in old}
