"""The same scenarios through the stubs and through REST come to the same."""

import re
from collections.abc import Callable
from typing import Any, Protocol

import grpc
import httpx2 as httpx
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp
from taskmanager.tasks.v1 import history_service_pb2, task_pb2, task_service_pb2

from chassis.settings import Listen
from chassis.rpc.errors import read_status
from gateway.bootstrap import gateway
from gateway.settings import GatewaySettings
from gateway.transcoding.encode import Encoders, to_json
from gateway.transcoding.parse import parse_json

Answer = dict[str, Any]
Fields = dict[str, Any]


class Client(Protocol):
    """One way to call: an answer as JSON has it, or {"refused": [reason, ...]}."""

    async def create(self, task: Fields, key: str = "") -> Answer: ...
    async def update(self, task_id: str, task: Fields) -> Answer: ...
    async def get(self, task_id: str) -> Answer: ...
    async def delete(self, task_id: str, etag: str = "") -> Answer: ...
    async def undelete(self, task_id: str) -> Answer: ...
    async def list(self, **fields: Any) -> Answer: ...
    async def events(self, task_id: str) -> Answer: ...
    async def batch(self, *tasks: Fields) -> Answer: ...


class Rest:
    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def _ask(self, method: str, path: str, **arguments: Any) -> Answer:
        answer = await self._http.request(method, f"/api/v1/tasks{path}", **arguments)
        if answer.is_success:
            return answer.json()
        return {"refused": [detail["reason"] for detail in answer.json()["error"]["details"]]}

    async def create(self, task: Fields, key: str = "") -> Answer:
        return await self._ask("POST", "", json=task, headers={"idempotency-key": key} if key else {})

    async def update(self, task_id: str, task: Fields) -> Answer:
        return await self._ask("PATCH", f"/{task_id}", json=task)

    async def get(self, task_id: str) -> Answer:
        return await self._ask("GET", f"/{task_id}")

    async def delete(self, task_id: str, etag: str = "") -> Answer:
        return await self._ask("DELETE", f"/{task_id}", headers={"if-match": f'"{etag}"'} if etag else {})

    async def undelete(self, task_id: str) -> Answer:
        return await self._ask("POST", f"/{task_id}:undelete")

    async def list(self, **fields: Any) -> Answer:
        fields = {name: str(value).lower() if isinstance(value, bool) else value for name, value in fields.items()}
        return await self._ask("GET", "", params=fields)

    async def events(self, task_id: str) -> Answer:
        return await self._ask("GET", f"/{task_id}/events")

    async def batch(self, *tasks: Fields) -> Answer:
        return await self._ask("POST", ":batchCreate", json={"requests": [{"task": task} for task in tasks]})


def task_of(fields: Fields) -> task_pb2.Task:
    values = {name: value for name, value in fields.items() if value is not None}
    for name, kind in (("status", task_pb2.Task.Status), ("priority", task_pb2.Task.Priority)):
        if name in values:
            values[name] = kind.Value(f"{name}_{values[name]}".upper().replace("-", "_"))
    return task_pb2.Task(**values)


class Stubs:
    def __init__(self, system, person) -> None:
        self._tasks, self._history, self._metadata = system.tasks, system.history, person.metadata
        self._encoders = Encoders()

    async def _ask(self, method: Callable[..., Any], request: Any) -> Answer:
        try:
            answer = await method(request, metadata=self._metadata)
        except grpc.aio.AioRpcError as error:
            status = read_status(error)
            return {"refused": [violation.reason for violation in status.violations] or [status.reason]}
        return dict(parse_json(to_json(self._encoders.of(answer.DESCRIPTOR)(answer))))  # type: ignore[call-overload]

    async def create(self, task: Fields, key: str = "") -> Answer:
        request = task_service_pb2.CreateTaskRequest(task=task_of(task), idempotency_key=key)
        return await self._ask(self._tasks.CreateTask, request)

    async def update(self, task_id: str, task: Fields) -> Answer:
        mask = FieldMask(paths=[name for name in task if name != "etag"])
        request = task_service_pb2.UpdateTaskRequest(id=task_id, task=task_of(task), update_mask=mask)
        return await self._ask(self._tasks.UpdateTask, request)

    async def get(self, task_id: str) -> Answer:
        return await self._ask(self._tasks.GetTask, task_service_pb2.GetTaskRequest(id=task_id))

    async def delete(self, task_id: str, etag: str = "") -> Answer:
        return await self._ask(self._tasks.DeleteTask, task_service_pb2.DeleteTaskRequest(id=task_id, etag=etag))

    async def undelete(self, task_id: str) -> Answer:
        return await self._ask(self._tasks.UndeleteTask, task_service_pb2.UndeleteTaskRequest(id=task_id))

    async def list(self, **fields: Any) -> Answer:
        if "created_after" in fields:
            moment = Timestamp()
            moment.FromJsonString(fields["created_after"])
            fields["created_after"] = moment
        return await self._ask(self._tasks.ListTasks, task_service_pb2.ListTasksRequest(**fields))

    async def events(self, task_id: str) -> Answer:
        request = history_service_pb2.ListTaskEventsRequest(task_id=task_id)
        return await self._ask(self._history.ListTaskEvents, request)

    async def batch(self, *tasks: Fields) -> Answer:
        requests = [task_service_pb2.CreateTaskRequest(task=task_of(task)) for task in tasks]
        return await self._ask(
            self._tasks.BatchCreateTasks, task_service_pb2.BatchCreateTasksRequest(requests=requests)
        )


FULL = {
    "title": "Buy 🥛",
    "description": "日本語\n🎉",
    "status": "in-progress",
    "priority": "high",
    "due_date": "2026-03-31",
    "labels": ["a", " b ", "a"],
    "external_id": "A-1",
}


async def life(client: Client) -> list[Answer]:
    made = await client.create(FULL)
    changed = await client.update(made["id"], {"status": "completed", "due_date": None, "labels": ["c"]})
    return [
        made,
        changed,
        await client.update(made["id"], {}),
        await client.delete(made["id"], changed["etag"]),
        await client.get(made["id"]),
        await client.undelete(made["id"]),
        await client.events(made["id"]),
    ]


async def refusals(client: Client) -> list[Answer]:
    made = await client.create(FULL)
    return [
        await client.create({"title": " ", "due_date": "soon", "labels": ["a,b"], "assignee_id": "me"}),
        await client.create({"title": "x", "external_id": "A-1"}),
        await client.create({"title": "a\0b"}),
        await client.update(made["id"], {"title": "", "description": "d" * 20_001}),
        await client.update(made["id"], {"owner_id": made["owner_id"]}),
        await client.update(made["id"], {"title": "x", "etag": "99"}),
        await client.delete(made["id"], "99"),
        await client.undelete(made["id"]),
        await client.get("0190b5a6-7f6e-7cc0-98d6-2f8a4b3c1d2e"),
        await client.get("x"),
        await client.batch({"title": "good"}, {"title": ""}),
        await client.batch(),
        await client.list(order_by="colour", q="a" * 10_000, due_before="soon"),
        await client.list(page_size=-1),
        await client.list(page_token="rubbish"),
        await client.list(owner_id="-"),
        await client.create({"title": "x"}, "key with spaces"),
    ]


async def lists(client: Client) -> list[Answer]:
    await client.batch(FULL, {"title": "b", "labels": ["b"]}, {"title": "C", "due_date": "2026-01-01"})
    first = await client.list(page_size=2, order_by="title", include_total=True)
    return [
        {"titles": [task["title"] for task in first["tasks"]], "total": first["total_size"]},
        await client.list(page_size=2, order_by="title", include_total=True, page_token=first["next_page_token"]),
        await client.list(labels_any=["b", "x"], order_by="due_date desc"),
        await client.list(q="c", created_after="2026-01-01T00:00:00Z"),
        await client.list(overdue=True),
    ]


async def repetition(client: Client) -> list[Answer]:
    first = await client.create({"title": "x"}, "k-1")
    return [first, await client.create({"title": "x"}, "k-1"), await client.create({"title": "y"}, "k-1")]


_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]+(Z|\+00:00)")


def without_ids_and_times(answers: list[Answer]) -> str:
    """The answers with each id replaced by the place at which it first came."""
    text = _TIME.sub("<time>", to_json([{**answer, "next_page_token": ""} for answer in answers]).decode())
    seen: dict[str, str] = {}
    text = _ID.sub(lambda found: seen.setdefault(found[0], f"<{len(seen)}>"), text)
    return re.sub(r'"request_id":"[^"]*"', "", text)


@pytest.mark.parametrize("scenario", [life, refusals, lists, repetition])
async def test_both_ways_come_to_the_same(system, scenario):
    by_rest, by_stubs = await system.person("rest"), await system.person("stub")
    targets = {"auth_target": system.auth_target, "tasks_target": system.tasks_target}
    settings = GatewaySettings.model_validate({"listen": Listen("127.0.0.1", 0), "drain_seconds": 1, **targets})
    async with gateway(settings) as address:
        headers = {"authorization": f"Bearer {by_rest.token}"}
        async with httpx.AsyncClient(base_url=f"http://{address}", headers=headers) as http:
            through_rest = await scenario(Rest(http))
    through_stubs = await scenario(Stubs(system, by_stubs))
    assert without_ids_and_times(through_rest) == without_ids_and_times(through_stubs)
