"""Updates of tasks: masks, etags, status, labels, external ids and assignees."""

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
from tests.integration.task_service.calls import create, delete, events_of, get, update
from tests.support.grpc_calls import expect_failure

Status = task_pb2.Task.Status
INVALID = grpc.StatusCode.INVALID_ARGUMENT


async def test_update_writes_only_masked_fields(system):
    sonu = await system.new_user("sonu")
    task = await create(system, sonu, title="Old", description="unchanged", labels=["a", "b"], due_date="2026-03-31")
    changed = await update(system, sonu, task.id, ["title", "due_date"], title="New", description="ignored")
    assert (changed.title, changed.description, changed.due_date, list(changed.labels)) == (
        "New",
        "unchanged",
        "",
        ["a", "b"],
    )
    assert changed.etag != task.etag
    assert await get(system, sonu, task.id) == changed


async def test_update_without_mask_writes_the_set_fields(system):
    sonu = await system.new_user("sonu")
    task = await create(system, sonu, title="Old", description="unchanged")
    changed = await update(system, sonu, task.id, [], title="New")
    assert (changed.title, changed.description) == ("New", "unchanged")


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
    assert await expect_failure(update(system, sonu, task.id, ["*"])) == (
        INVALID,
        "BLANK_TITLE",
        [("task.title", "BLANK_TITLE")],
    )
    assert (await expect_failure(update(system, sonu, task.id, ["*", "title"], title="x")))[2] == [
        ("update_mask", "UNKNOWN_FIELD")
    ]


def test_update_errors_have_a_fixed_order():
    draft = TaskDraft(title="", description="d" * 20_001, due_date="soon")
    for mask in itertools.permutations(["title", "description", "due_date", "owner_id", "colour"]):
        with pytest.raises(Invalid) as caught:
            draft.validate_changes(mask)
        assert [error.field for error in caught.value.violations] == [
            "title",
            "description",
            "due_date",
            "update_mask",
            "task.owner_id",
        ]


async def test_update_lists_every_invalid_field(system):
    sonu = await system.new_user("sonu")
    task = await create(system, sonu, title="x")
    fields = ["title", "due_date", "labels", "owner_id", "created_at", "completed_at", "colour", "assignee_id"]
    invalid: dict[str, Any] = {"title": " ", "due_date": "soon", "labels": ["a,b"], "assignee_id": "me"}
    code, _, violations = await expect_failure(update(system, sonu, task.id, fields, **invalid))
    assert code is INVALID
    assert sorted(violations) == [
        ("task.assignee_id", "MALFORMED_ID"),
        ("task.completed_at", "READ_ONLY_FIELD"),
        ("task.created_at", "READ_ONLY_FIELD"),
        ("task.due_date", "MALFORMED_DATE"),
        ("task.labels", "COMMA_IN_LABEL"),
        ("task.owner_id", "READ_ONLY_FIELD"),
        ("task.title", "BLANK_TITLE"),
        ("update_mask", "UNKNOWN_FIELD"),
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


async def test_noop_update_writes_nothing(system):
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


async def test_stale_etag_is_rejected(system):
    sonu = await system.new_user("sonu")
    task = await create(system, sonu, title="x")
    changed = await update(system, sonu, task.id, title="y", etag=task.etag)
    for call in (
        update(system, sonu, task.id, title="z", etag=task.etag),
        delete(system, sonu, task.id, etag=task.etag),
    ):
        assert (await expect_failure(call))[:2] == (grpc.StatusCode.ABORTED, "ETAG_MISMATCH")
    assert await get(system, sonu, task.id) == changed


async def test_concurrent_updates_with_one_etag_write_once(system):
    sonu = await system.new_user("sonu")
    task = await create(system, sonu, title="x")
    responses = await asyncio.gather(
        *(update(system, sonu, task.id, title=f"y{number}", etag=task.etag) for number in range(10)),
        return_exceptions=True,
    )
    assert sum(isinstance(response, task_pb2.Task) for response in responses) == 1
    assert len(await events_of(system, sonu, task.id)) == 2


async def test_deleted_task_can_not_be_updated(system):
    sonu = await system.new_user("sonu")
    task = await create(system, sonu, title="x")
    await delete(system, sonu, task.id)
    call = update(system, sonu, task.id, title="y")
    assert (await expect_failure(call))[:2] == (grpc.StatusCode.FAILED_PRECONDITION, "TASK_DELETED")


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
async def test_invalid_label_is_rejected(system, labels, reason):
    sonu = await system.new_user("sonu")
    assert await expect_failure(create(system, sonu, title="x", labels=labels)) == (
        INVALID,
        reason,
        [("task.labels", reason)],
    )


async def test_duplicate_labels_are_removed(system):
    sonu = await system.new_user("sonu")
    labels = [*(str(number) for number in range(49)), "ж" * 64, " 7 "]
    assert (await create(system, sonu, title="x", labels=labels)).labels == labels[:-1]


async def test_external_id_is_unique_among_live_tasks_of_an_owner(system):
    sonu, mina = await system.new_user("sonu"), await system.new_user("mina")
    first = await create(system, sonu, title="x", external_id="A-1")
    await create(system, mina, title="x", external_id="A-1")
    second = await create(system, sonu, title="y")
    duplicate = (grpc.StatusCode.ALREADY_EXISTS, "EXTERNAL_ID_TAKEN", [("task.external_id", "EXTERNAL_ID_TAKEN")])
    assert await expect_failure(create(system, sonu, title="x", external_id="A-1")) == duplicate
    assert await expect_failure(update(system, sonu, second.id, external_id="A-1")) == duplicate
    await delete(system, sonu, first.id)
    assert (await update(system, sonu, second.id, external_id="A-1")).external_id == "A-1"


async def test_concurrent_creates_share_no_external_id(system):
    sonu = await system.new_user("sonu")
    responses = await asyncio.gather(
        *(create(system, sonu, title="x", external_id="A-1") for _ in range(10)), return_exceptions=True
    )
    assert sum(isinstance(response, task_pb2.Task) for response in responses) == 1


async def test_assignee_loses_rights_when_unassigned(system):
    sonu, mina = await system.new_user("sonu"), await system.new_user("mina")
    task = await create(system, sonu, title="x", assignee_id=mina.id)
    changed = await update(system, mina, task.id, status=Status.STATUS_IN_PROGRESS)
    assert await get(system, sonu, task.id) == changed
    assert len(await events_of(system, mina, task.id)) == 2
    await update(system, sonu, task.id, assignee_id="")
    assert (await expect_failure(get(system, mina, task.id))).code is grpc.StatusCode.NOT_FOUND


async def test_unknown_assignee_is_rejected(system):
    sonu = await system.new_user("sonu")
    unknown_id = "0190b5a6-7f6e-7cc0-98d6-2f8a4b3c1d2e"
    task = await create(system, sonu, title="x")
    failure = (INVALID, "UNKNOWN_ASSIGNEE", [("task.assignee_id", "UNKNOWN_ASSIGNEE")])
    assert await expect_failure(create(system, sonu, title="x", assignee_id=unknown_id)) == failure
    assert await expect_failure(update(system, sonu, task.id, assignee_id=unknown_id)) == failure


# Some letters and symbols are invisible, and a title needs a visible character.
visible_characters = st.characters(categories=("L", "N", "P", "S"), exclude_characters="\u115f\u1160\u2800\u3164\uffa0")
texts = st.text(visible_characters, min_size=1, max_size=20)
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


@settings(max_examples=300)
@given(before=drafts, wanted=drafts, mask=MASKS)
def test_update_takes_exactly_the_masked_fields(before, wanted, mask):
    old, new = before.validate()._asdict(), wanted.validate()._asdict()
    assert {**old, **wanted.validate_changes(mask)} == {name: (new if name in mask else old)[name] for name in old}
