"""Whatever is called, in whatever order, with whichever keys, alone or with its twins at once: a key has one effect.

A model in memory says what each call comes to; calls, answers, tasks and history are held against it.
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
_PROPERTY = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@dataclass(frozen=True)
class Step:
    """One request, and how many send it at once."""

    verb: str
    key: str
    """Empty for none."""
    title: str
    target: int
    """Which of the first three tasks."""
    twins: int

    @property
    def request(self) -> tuple[Any, ...]:
        """What has to be the same under one key."""
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
    twins=st.integers(1, 3),
)


# By whether the task is in the trash.
REFUSED = {
    True: {"update": "TASK_DELETED", "delete": "TASK_NOT_FOUND"},
    False: {"undelete": "TASK_NOT_DELETED", "purge": "TASK_NOT_IN_TRASH"},
}


@dataclass
class Model:
    """What there is to be: the tasks with their history, and what each key was answered."""

    ids: list[str] = field(default_factory=list)
    titles: list[str] = field(default_factory=list)
    actions: list[list[str]] = field(default_factory=list)
    answers: dict[str, tuple[tuple[Any, ...], Any]] = field(default_factory=dict)

    def refusal(self, step: Step) -> str:
        """Why the step is refused; empty where it is not."""
        if step.key in self.answers:
            return "" if self.answers[step.key][0] == step.request else "IDEMPOTENCY_KEY_REUSED"
        if step.verb in {"create", "batch"}:
            return ""
        last = self.actions[step.target][-1]
        if last == "purged":
            return "TASK_NOT_FOUND"
        return REFUSED[last == "deleted"].get(step.verb, "")

    def takes_effect(self, step: Step, answer: Any) -> None:
        """Notes what was done, and the answer under the step's key."""
        match step.verb:
            case "create":
                self._made(step, answer)
            case "batch":
                for task in answer.tasks:
                    self._made(step, task)
            case "update":
                if self.titles[step.target] != step.title:
                    self.titles[step.target] = step.title
                    self.actions[step.target].append("updated")
            case verb:
                done = {"delete": "deleted", "undelete": "restored", "purge": "purged"}[verb]
                self.actions[step.target].append(done)
        if step.key:
            self.answers[step.key] = (step.request, answer)

    def _made(self, step: Step, task: task_pb2.Task) -> None:
        self.ids.append(task.id)
        self.titles.append(step.title)
        self.actions.append(["created"])


async def send(system, person, step: Step, key: str, ids: list[str]) -> Any:
    match step.verb:
        case "create":
            return await create(system, person, title=step.title, key=key)
        case "batch":
            one = task_service_pb2.CreateTaskRequest(task=task_pb2.Task(title=step.title))
            request = task_service_pb2.BatchCreateTasksRequest(requests=[one, one], idempotency_key=key)
            return await system.tasks.BatchCreateTasks(request, metadata=person.metadata)
        case "update":
            return await update(system, person, ids[step.target], title=step.title, key=key)
        case verb:
            call = {"delete": delete, "undelete": undelete, "purge": purge}[verb]
            return await call(system, person, ids[step.target], idempotency_key=key)


def reason_of(answer: Any) -> str:
    return read_status(answer).reason if isinstance(answer, grpc.aio.AioRpcError) else ""


@_PROPERTY
@given(program=st.lists(steps, min_size=4, max_size=14))
async def test_each_key_has_one_effect_and_one_answer_whatever_is_called_in_between(system, databases, program):
    person, run, model = await system.admin(), next(_RUNS), Model()
    first = Step("create", "", "x", 0, 1)
    for step in [first, first, first, *program]:
        key = f"{run}-{step.key}" if step.key else ""
        expected, known = model.refusal(step), step.key in model.answers
        # Without a key each of them would be an effect of its own.
        twins = step.twins if step.key else 1
        answers = await asyncio.gather(
            *(send(system, person, step, key, model.ids) for _ in range(twins)), return_exceptions=True
        )
        assert [reason_of(answer) for answer in answers] == [expected] * twins, step
        if not expected:
            assert all(answer == answers[0] for answer in answers), step
            if known:
                assert answers[0] == model.answers[step.key][1], step
            else:
                model.takes_effect(step, answers[0])
    ids = "', '".join(model.ids)
    told = await databases.execute(f"""
        SELECT task_id::text, array_agg(action ORDER BY id) FROM tasks.task_events
        WHERE actor_id = '{person.id}' AND task_id IN ('{ids}') GROUP BY 1
    """)
    assert dict(told) == dict(zip(model.ids, model.actions, strict=True))
    made = await databases.execute(
        f"SELECT count(DISTINCT task_id) FROM tasks.task_events WHERE actor_id = '{person.id}'"
    )
    assert made == [(len(model.ids),)]
    for task_id, title, actions in zip(model.ids, model.titles, model.actions, strict=True):
        if actions[-1] != "purged":
            assert (await get(system, person, task_id)).title == title


@_PROPERTY
@given(calls=st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("xy")), min_size=2, max_size=40))
async def test_of_different_requests_at_once_under_one_key_exactly_one_is_carried_out(system, databases, calls):
    """All of them at once: whichever comes first decides what its key means."""
    person, run = await system.admin(), next(_RUNS)
    answers = await asyncio.gather(
        *(create(system, person, title=title, key=f"{run}-{key}") for key, title in calls), return_exceptions=True
    )
    meant: dict[str, task_pb2.Task] = {}
    for (key, title), answer in zip(calls, answers, strict=True):
        if isinstance(answer, task_pb2.Task):
            assert answer.title == title
            assert meant.setdefault(key, answer) == answer
    for (key, title), answer in zip(calls, answers, strict=True):
        if not isinstance(answer, task_pb2.Task):
            assert reason_of(answer) == "IDEMPOTENCY_KEY_REUSED"
            assert meant[key].title != title
    made = await databases.execute(f"SELECT id::text FROM tasks.tasks WHERE owner_id = '{person.id}'")
    assert sorted(made) == sorted((task.id,) for task in meant.values())
    told = await databases.execute(f"SELECT count(*) FROM tasks.task_events WHERE owner_id = '{person.id}'")
    assert told == [(len(meant),)]
