"""Idempotency of random sequences of requests, single or concurrent: a key has one effect.

A model in memory predicts the result of each request. Responses, tasks and history must match it.
"""

import asyncio
import itertools
from dataclasses import dataclass, field
from typing import Any

import grpc
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from taskmanager.tasks.v1 import task_pb2, task_service_pb2

from chassis.rpc.errors import read_status
from tests.integration.task_service.calls import create, delete, get, purge, undelete, update

_RUNS = itertools.count()
_SETTINGS = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


@dataclass(frozen=True)
class Step:
    """One request, sent by several clients at once."""

    verb: str
    key: str
    """Idempotency key, empty for none."""
    title: str
    target: int
    """Index of one of the first three tasks."""
    copies: int

    @property
    def request(self) -> tuple[Any, ...]:
        """Return the content of the request without its key."""
        match self.verb:
            case "create" | "batch":
                return (self.verb, self.title)
            case "update":
                return (self.verb, self.target, self.title)
            case _:
                return (self.verb, self.target)


steps = st.builds(
    Step,
    verb=st.sampled_from(["create", "batch", "update", "delete", "undelete", "purge"]),
    key=st.sampled_from(["", "a", "b", "c"]),
    title=st.sampled_from(["x", "y"]),
    target=st.integers(0, 2),
    copies=st.integers(1, 3),
)


EXPECTED_ERRORS = {
    True: {"update": "TASK_DELETED", "delete": "TASK_NOT_FOUND"},
    False: {"undelete": "TASK_NOT_DELETED", "purge": "TASK_NOT_IN_TRASH"},
}


@dataclass
class Model:
    """Expected tasks with their history, and the expected response of each key."""

    ids: list[str] = field(default_factory=list)
    titles: list[str] = field(default_factory=list)
    actions: list[list[str]] = field(default_factory=list)
    responses: dict[str, tuple[tuple[Any, ...], Any]] = field(default_factory=dict)

    def expected_error(self, step: Step) -> str:
        """Return the reason of the error that the step causes, empty for success."""
        if step.key in self.responses:
            return "" if self.responses[step.key][0] == step.request else "IDEMPOTENCY_KEY_REUSED"
        if step.verb in {"create", "batch"}:
            return ""
        last = self.actions[step.target][-1]
        if last == "purged":
            return "TASK_NOT_FOUND"
        return EXPECTED_ERRORS[last == "deleted"].get(step.verb, "")

    def apply(self, step: Step, response: Any) -> None:
        """Record the effect of a successful step, and its response under the key."""
        match step.verb:
            case "create":
                self._add(step, response)
            case "batch":
                for task in response.tasks:
                    self._add(step, task)
            case "update":
                if self.titles[step.target] != step.title:
                    self.titles[step.target] = step.title
                    self.actions[step.target].append("updated")
            case verb:
                action = {"delete": "deleted", "undelete": "restored", "purge": "purged"}[verb]
                self.actions[step.target].append(action)
        if step.key:
            self.responses[step.key] = (step.request, response)

    def _add(self, step: Step, task: task_pb2.Task) -> None:
        self.ids.append(task.id)
        self.titles.append(step.title)
        self.actions.append(["created"])


async def send(system, person, step: Step, key: str, ids: list[str]) -> Any:
    match step.verb:
        case "create":
            return await create(system, person, title=step.title, key=key)
        case "batch":
            item = task_service_pb2.CreateTaskRequest(task=task_pb2.Task(title=step.title))
            request = task_service_pb2.BatchCreateTasksRequest(requests=[item, item], idempotency_key=key)
            return await system.tasks.BatchCreateTasks(request, metadata=person.metadata)
        case "update":
            return await update(system, person, ids[step.target], title=step.title, key=key)
        case verb:
            call = {"delete": delete, "undelete": undelete, "purge": purge}[verb]
            return await call(system, person, ids[step.target], idempotency_key=key)


def error_reason(response: Any) -> str:
    return read_status(response).reason if isinstance(response, grpc.aio.AioRpcError) else ""


@_SETTINGS
@given(program=st.lists(steps, min_size=4, max_size=14))
async def test_each_key_has_one_effect_and_one_response(system, database, program):
    person, run, model = await system.new_admin(), next(_RUNS), Model()
    first = Step("create", "", "x", 0, 1)
    for step in [first, first, first, *program]:
        key = f"{run}-{step.key}" if step.key else ""
        expected, is_repeated = model.expected_error(step), step.key in model.responses
        # Without a key each copy would have an effect.
        copies = step.copies if step.key else 1
        responses = await asyncio.gather(
            *(send(system, person, step, key, model.ids) for _ in range(copies)), return_exceptions=True
        )
        assert [error_reason(response) for response in responses] == [expected] * copies, step
        if not expected:
            assert all(response == responses[0] for response in responses), step
            if is_repeated:
                assert responses[0] == model.responses[step.key][1], step
            else:
                model.apply(step, responses[0])
    ids = "', '".join(model.ids)
    events = await database.execute(f"""
        SELECT task_id::text, array_agg(action ORDER BY id) FROM tasks.task_events
        WHERE actor_id = '{person.id}' AND task_id IN ('{ids}') GROUP BY 1
    """)
    assert dict(events) == dict(zip(model.ids, model.actions, strict=True))
    created = await database.execute(
        f"SELECT count(DISTINCT task_id) FROM tasks.task_events WHERE actor_id = '{person.id}'"
    )
    assert created == [(len(model.ids),)]
    for task_id, title, actions in zip(model.ids, model.titles, model.actions, strict=True):
        if actions[-1] != "purged":
            assert (await get(system, person, task_id)).title == title


@_SETTINGS
@given(calls=st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("xy")), min_size=2, max_size=40))
async def test_one_of_concurrent_requests_with_a_key_takes_effect(system, database, calls):
    """All requests are concurrent. The first one determines the request of its key."""
    person, run = await system.new_admin(), next(_RUNS)
    responses = await asyncio.gather(
        *(create(system, person, title=title, key=f"{run}-{key}") for key, title in calls), return_exceptions=True
    )
    winners: dict[str, task_pb2.Task] = {}
    for (key, title), response in zip(calls, responses, strict=True):
        if isinstance(response, task_pb2.Task):
            assert response.title == title
            assert winners.setdefault(key, response) == response
    for (key, title), response in zip(calls, responses, strict=True):
        if not isinstance(response, task_pb2.Task):
            assert error_reason(response) == "IDEMPOTENCY_KEY_REUSED"
            assert winners[key].title != title
    created = await database.execute(f"SELECT id::text FROM tasks.tasks WHERE owner_id = '{person.id}'")
    assert sorted(created) == sorted((task.id,) for task in winners.values())
    events = await database.execute(f"SELECT count(*) FROM tasks.task_events WHERE owner_id = '{person.id}'")
    assert events == [(len(winners),)]
