"""Events that a caller may see: those of their own tasks, without the values of a time without access."""

import random
from collections.abc import Mapping, Sequence

import grpc
import pytest
from taskmanager.tasks.v1 import history_service_pb2

from tests.integration.task_service.calls import create, delete, list_all_events, purge, undelete, update
from tests.support.grpc_calls import expect_failure
from tests.support.system import Principal

TaskEvent = history_service_pb2.TaskEvent
NONE, GAINED, LOST = (
    TaskEvent.ACCESS_CHANGE_UNSPECIFIED,
    TaskEvent.ACCESS_CHANGE_GAINED,
    TaskEvent.ACCESS_CHANGE_LOST,
)


@pytest.fixture
async def mina(system):
    return await system.new_user("mina")


async def read_stream(system, person, count: int, cursor: str = "-") -> list[TaskEvent]:
    """Return the first events of a stream that begins at a cursor."""
    request = history_service_pb2.WatchEventsRequest(cursor=cursor)
    stream = system.history.WatchEvents(request, metadata=person.metadata)
    found: list[TaskEvent] = []
    while len(found) < count:
        message = await stream.read()
        if message.HasField("event"):
            found.append(message.event)
    stream.cancel()
    return found


def summary(events: Sequence[TaskEvent]) -> list[tuple[int, int, bool]]:
    """Return revision, change of access, and whether there are values, of each event."""
    return [(event.revision, event.access_change, bool(event.changes)) for event in events]


async def test_each_caller_sees_the_events_of_their_access(system, sonu, mina, database):
    """Mina is assigned in revision 2, unassigned in revision 4, and never sees the purge."""
    admin, reader = await system.new_admin(), await system.new_service("tasks:read")
    manager, stranger = await system.new_user("mo"), await system.new_user("stranger")
    await database.execute("UPDATE auth.users SET role = 'manager' WHERE username = 'mo'")
    manager = await system.login("mo@example.com")
    task = await create(system, sonu, title="a")
    await update(system, sonu, task.id, assignee_id=mina.id, title="b")
    await update(system, mina, task.id, title="c")
    await update(system, mina, task.id, assignee_id="", title="d")
    await update(system, sonu, task.id, title="e")
    await delete(system, sonu, task.id)
    await purge(system, admin, task.id)
    everything = [(revision, NONE, revision < 7) for revision in range(1, 8)]
    for person in (sonu, manager, admin, reader):
        events = await list_all_events(system, person)
        assert summary(events) == everything
        assert await read_stream(system, person, 7) == events
    hers = await list_all_events(system, mina)
    assert summary(hers) == [(2, GAINED, False), (3, NONE, True), (4, LOST, False)]
    assert await read_stream(system, mina, 3) == hers
    assert [event.actor_id for event in hers] == [sonu.id, mina.id, mina.id]
    for fields in ({"task_id": task.id}, {"owner_id": sonu.id}, {"page_size": 1}):
        assert await list_all_events(system, mina, **fields) == hers
    assert await list_all_events(system, mina, newest_first=True) == hers[::-1]
    assert await list_all_events(system, stranger) == []
    assert await list_all_events(system, stranger, task_id=task.id) == []


async def test_service_without_the_scope_is_refused(system):
    robot = await system.new_service("tasks:write")
    call = system.history.ListEvents(history_service_pb2.ListEventsRequest(), metadata=robot.metadata)
    assert (await expect_failure(call)).code is grpc.StatusCode.PERMISSION_DENIED


async def test_assignee_of_a_new_task_sees_its_creation(system, sonu, mina):
    """Nothing was hidden before a creation. The owner keeps access, also as the former assignee."""
    task = await create(system, sonu, title="a", assignee_id=mina.id)
    await update(system, sonu, task.id, assignee_id=sonu.id)
    await update(system, sonu, task.id, assignee_id="")
    assert summary(await list_all_events(system, mina)) == [(1, NONE, True), (2, LOST, False)]
    assert summary(await list_all_events(system, sonu)) == [(1, NONE, True), (2, NONE, True), (3, NONE, True)]


async def test_handover_is_a_gain_and_a_loss(system, sonu, mina):
    theo = await system.new_user("theo")
    task = await create(system, sonu, title="a", assignee_id=mina.id)
    await update(system, mina, task.id, assignee_id=theo.id)
    assert summary(await list_all_events(system, mina)) == [(1, NONE, True), (2, LOST, False)]
    assert summary(await list_all_events(system, theo)) == [(2, GAINED, False)]


async def test_deletion_restoration_and_purge_reach_the_assignee(system, sonu, mina):
    admin = await system.new_admin()
    task = await create(system, sonu, title="a", assignee_id=mina.id)
    await delete(system, sonu, task.id)
    await undelete(system, mina, task.id)
    await delete(system, mina, task.id)
    await purge(system, admin, task.id)
    events = await list_all_events(system, mina)
    assert [event.revision for event in events] == [1, 2, 3, 4, 5]
    assert {change.field for event in events[1:] for change in event.changes} == {"deleted_at"}
    assert events[-1].action == TaskEvent.ACTION_PURGED


class RandomChanges:
    """Random changes by several users. Each title names those who could see the task when it had that title."""

    def __init__(self, system, people: Mapping[str, Principal]) -> None:
        self._system, self._people = system, people
        self._random = random.Random(20261129)  # noqa: S311 - a fixed sequence
        self.seeing: dict[str, tuple[str, str]] = {}
        """Names of owner and assignee of each task; an empty name for no assignee."""
        self.deleted: set[str] = set()

    def _fields(self, owner: str, assignee: str) -> dict[str, str]:
        title = f"{self._random.random()} seen by {owner} {assignee}"
        return {"title": title, "assignee_id": self._people[assignee].id if assignee else ""}

    async def make(self) -> None:
        """Create, change, assign, delete or restore a task."""
        task_id, assignee = self._random.choice([*self.seeing, ""]), self._random.choice([*self._people, ""])
        if not task_id:
            owner = self._random.choice([*self._people])
            task = await create(self._system, self._people[owner], **self._fields(owner, assignee))
            self.seeing[task.id] = (owner, assignee)
            return
        owner, former = self.seeing[task_id]
        actor = self._people[self._random.choice([owner, former or owner])]
        if task_id in self.deleted:
            await undelete(self._system, actor, task_id)
            self.deleted.remove(task_id)
        elif self._random.random() < 0.2:
            await delete(self._system, actor, task_id)
            self.deleted.add(task_id)
        else:
            await update(self._system, actor, task_id, **self._fields(owner, assignee))
            self.seeing[task_id] = (owner, assignee)


def apply(events: Sequence[TaskEvent]) -> set[str]:
    """Return the ids of the tasks in a copy that follows the events."""
    copy: set[str] = set()
    for event in events:
        if event.access_change == LOST or event.action == TaskEvent.ACTION_DELETED:
            copy.remove(event.task_id)
        else:
            copy.add(event.task_id)
    return copy


async def test_no_event_shows_a_value_from_without_access(system, sonu, mina):
    """After 300 random changes, each user's events give exactly their tasks, and no title of a time without access."""
    people = {"sonu": sonu, "mina": mina, "theo": await system.new_user("theo")}
    changes = RandomChanges(system, people)
    for _ in range(300):
        await changes.make()
    access_changes = set()
    for name, person in people.items():
        events = await list_all_events(system, person, page_size=7)
        assert await read_stream(system, person, len(events)) == events
        assert len({event.id for event in events}) == len(events)
        titles = [change for event in events for change in event.changes if change.field == "title"]
        for text in [text for change in titles for text in (change.old, change.new) if text]:
            assert name in text.split(), text
        assert apply(events) == {task for task, seeing in changes.seeing.items() if name in seeing} - changes.deleted
        access_changes |= {event.access_change for event in events}
    assert access_changes == {NONE, GAINED, LOST}
