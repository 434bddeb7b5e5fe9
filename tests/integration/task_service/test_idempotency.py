"""Calls that are safe to repeat."""

import asyncio
import random

import grpc
import pytest
from taskmanager.tasks.v1 import task_pb2

from chassis.rpc.errors import details_of
from tests.integration.task_service.calls import (
    actions_of,
    create,
    delete,
    events_of,
    get,
    listed,
    purge,
    refused,
    undelete,
    update,
)


async def test_twenty_twins_at_once_make_one_task_and_one_entry_in_history(system):
    sonu = await system.person("sonu")
    answers = await asyncio.gather(
        *(create(system, sonu, title="x", labels=["a"], due_date="2026-03-31", key="k") for _ in range(20))
    )
    assert all(answer == answers[0] for answer in answers)
    assert await listed(system, sonu) == [answers[0].id]
    assert len(await events_of(system, sonu, answers[0].id)) == 1


async def test_each_mutation_is_answered_as_the_first_time(system):
    sonu, admin = await system.person("sonu"), await system.admin()
    task = await create(system, sonu, title="x", assignee_id=sonu.id, key="c")
    changed = await update(system, sonu, task.id, title="y", key="u")
    deleted = await delete(system, sonu, task.id, idempotency_key="d")
    back = await undelete(system, sonu, task.id, idempotency_key="b")
    assert await create(system, sonu, title="x", assignee_id=sonu.id, key="c") == task
    assert await update(system, sonu, task.id, title="y", key="u") == changed
    assert await delete(system, sonu, task.id, idempotency_key="d") == deleted
    assert await undelete(system, sonu, task.id, idempotency_key="b") == back
    assert await get(system, sonu, task.id) == back
    assert await actions_of(system, sonu, task.id) == ["created", "updated", "deleted", "restored"]
    await delete(system, sonu, task.id)
    for _ in range(2):
        await purge(system, admin, task.id, idempotency_key="p")


async def test_the_same_key_with_another_request_is_refused(system):
    sonu = await system.person("sonu")
    task = await create(system, sonu, title="x", key="k")
    reused = (
        grpc.StatusCode.ALREADY_EXISTS,
        "IDEMPOTENCY_KEY_REUSED",
        [("idempotency_key", "IDEMPOTENCY_KEY_REUSED")],
    )
    assert await refused(create(system, sonu, title="y", key="k")) == reused
    assert await refused(delete(system, sonu, task.id, idempotency_key="k")) == reused
    assert await listed(system, sonu) == [task.id]


async def test_a_key_is_its_caller_s_own(system):
    sonu, mina = await system.person("sonu"), await system.person("mina")
    first, second = [await create(system, person, title="x", key="k") for person in (sonu, mina)]
    assert first.id != second.id


async def test_what_failed_may_be_tried_again_under_the_same_key(system):
    sonu = await system.person("sonu")
    task = await create(system, sonu, title="x", external_id="A-1")
    assert (await refused(create(system, sonu, title="y", external_id="A-1", key="k")))[1] == "EXTERNAL_ID_TAKEN"
    await delete(system, sonu, task.id)
    assert (await create(system, sonu, title="y", external_id="A-1", key="k")).title == "y"


async def test_after_a_day_the_key_is_new(system, databases):
    sonu = await system.person("sonu")
    first = await create(system, sonu, title="x", key="k")
    await databases.execute("UPDATE tasks.answers SET created_at = now() - interval '25 hours'")
    second = await create(system, sonu, title="other", key="k")
    assert second.id != first.id
    assert await create(system, sonu, title="other", key="k") == second


@pytest.mark.parametrize("key", ["a" * 129, "a b", "é", "a\n"])
async def test_a_key_that_is_none_is_refused(system, key):
    sonu = await system.person("sonu")
    reason = "INVALID_IDEMPOTENCY_KEY"
    assert await refused(create(system, sonu, title="x", key=key)) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        reason,
        [("idempotency_key", reason)],
    )


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_is_sent_at_once_each_key_has_one_effect_and_one_request(system, seed):
    """Sixty calls under four keys, each with one of two bodies: whichever comes first decides what its key means."""
    sonu = await system.person("sonu")
    chance = random.Random(seed)  # noqa: S311 - an example, and the same each time
    calls = [(chance.choice("abcd"), chance.choice(["x", "y"])) for _ in range(60)]
    answers = await asyncio.gather(
        *(create(system, sonu, title=title, key=key) for key, title in calls), return_exceptions=True
    )
    meant: dict[str, task_pb2.Task] = {}
    for (key, title), answer in zip(calls, answers, strict=True):
        if isinstance(answer, task_pb2.Task):
            assert answer.title == title
            assert meant.setdefault(key, answer) == answer
    for (key, title), answer in zip(calls, answers, strict=True):
        if not isinstance(answer, task_pb2.Task):
            assert isinstance(answer, grpc.aio.AioRpcError)
            assert details_of(answer).reason == "IDEMPOTENCY_KEY_REUSED"
            assert meant[key].title != title
    assert sorted(await listed(system, sonu)) == sorted(task.id for task in meant.values())
