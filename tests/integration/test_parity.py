"""The same scenarios give the same results through gRPC and through REST."""

import re
from collections.abc import Callable
from typing import Any, Protocol

import grpc
import httpx2 as httpx
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp
from taskmanager.tasks.v1 import history_service_pb2, task_pb2, task_service_pb2

from chassis.rpc.errors import read_status
from chassis.settings import Listen
from gateway.server import run_server as run_gateway
from gateway.settings import GatewaySettings
from gateway.transcoding.json_codec.encoder import Encoders, to_json
from gateway.transcoding.json_codec.parser import parse_json

Result = dict[str, Any]
Fields = dict[str, Any]


class Client(Protocol):
    """Client of one protocol. Returns the response as JSON, or {"refused": [reason, ...]}."""

    async def create(self, task: Fields, key: str = "") -> Result: ...
    async def update(self, task_id: str, task: Fields) -> Result: ...
    async def get(self, task_id: str) -> Result: ...
    async def delete(self, task_id: str, etag: str = "") -> Result: ...
    async def undelete(self, task_id: str) -> Result: ...
    async def list(self, **fields: Any) -> Result: ...
    async def events(self, task_id: str) -> Result: ...
    async def batch(self, *tasks: Fields) -> Result: ...


class RestScenarioClient:
    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def _call(self, method: str, path: str, **arguments: Any) -> Result:
        response = await self._http.request(method, f"/api/v1/tasks{path}", **arguments)
        if response.is_success:
            return response.json()
        return {"refused": [detail["reason"] for detail in response.json()["error"]["details"]]}

    async def create(self, task: Fields, key: str = "") -> Result:
        return await self._call("POST", "", json=task, headers={"idempotency-key": key} if key else {})

    async def update(self, task_id: str, task: Fields) -> Result:
        return await self._call("PATCH", f"/{task_id}", json=task)

    async def get(self, task_id: str) -> Result:
        return await self._call("GET", f"/{task_id}")

    async def delete(self, task_id: str, etag: str = "") -> Result:
        return await self._call("DELETE", f"/{task_id}", headers={"if-match": f'"{etag}"'} if etag else {})

    async def undelete(self, task_id: str) -> Result:
        return await self._call("POST", f"/{task_id}:undelete")

    async def list(self, **fields: Any) -> Result:
        fields = {name: str(value).lower() if isinstance(value, bool) else value for name, value in fields.items()}
        return await self._call("GET", "", params=fields)

    async def events(self, task_id: str) -> Result:
        return await self._call("GET", f"/{task_id}/events")

    async def batch(self, *tasks: Fields) -> Result:
        return await self._call("POST", ":batchCreate", json={"requests": [{"task": task} for task in tasks]})


def task_of(fields: Fields) -> task_pb2.Task:
    values = {name: value for name, value in fields.items() if value is not None}
    for name, kind in (("status", task_pb2.Task.Status), ("priority", task_pb2.Task.Priority)):
        if name in values:
            values[name] = kind.Value(f"{name}_{values[name]}".upper().replace("-", "_"))
    return task_pb2.Task(**values)


class GrpcScenarioClient:
    def __init__(self, system, user) -> None:
        self._tasks, self._history, self._metadata = system.tasks, system.history, user.metadata
        self._encoders = Encoders()

    async def _call(self, method: Callable[..., Any], request: Any) -> Result:
        try:
            response = await method(request, metadata=self._metadata)
        except grpc.aio.AioRpcError as error:
            status = read_status(error)
            return {"refused": [violation.reason for violation in status.violations] or [status.reason]}
        return dict(parse_json(to_json(self._encoders.get(response.DESCRIPTOR)(response))))  # type: ignore[call-overload]

    async def create(self, task: Fields, key: str = "") -> Result:
        request = task_service_pb2.CreateTaskRequest(task=task_of(task), idempotency_key=key)
        return await self._call(self._tasks.CreateTask, request)

    async def update(self, task_id: str, task: Fields) -> Result:
        mask = FieldMask(paths=[name for name in task if name != "etag"])
        request = task_service_pb2.UpdateTaskRequest(id=task_id, task=task_of(task), update_mask=mask)
        return await self._call(self._tasks.UpdateTask, request)

    async def get(self, task_id: str) -> Result:
        return await self._call(self._tasks.GetTask, task_service_pb2.GetTaskRequest(id=task_id))

    async def delete(self, task_id: str, etag: str = "") -> Result:
        return await self._call(self._tasks.DeleteTask, task_service_pb2.DeleteTaskRequest(id=task_id, etag=etag))

    async def undelete(self, task_id: str) -> Result:
        return await self._call(self._tasks.UndeleteTask, task_service_pb2.UndeleteTaskRequest(id=task_id))

    async def list(self, **fields: Any) -> Result:
        if "created_after" in fields:
            moment = Timestamp()
            moment.FromJsonString(fields["created_after"])
            fields["created_after"] = moment
        return await self._call(self._tasks.ListTasks, task_service_pb2.ListTasksRequest(**fields))

    async def events(self, task_id: str) -> Result:
        request = history_service_pb2.ListTaskEventsRequest(task_id=task_id)
        return await self._call(self._history.ListTaskEvents, request)

    async def batch(self, *tasks: Fields) -> Result:
        requests = [task_service_pb2.CreateTaskRequest(task=task_of(task)) for task in tasks]
        return await self._call(
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


async def life_cycle(client: Client) -> list[Result]:
    created = await client.create(FULL)
    changed = await client.update(created["id"], {"status": "completed", "due_date": None, "labels": ["c"]})
    return [
        created,
        changed,
        await client.update(created["id"], {}),
        await client.delete(created["id"], changed["etag"]),
        await client.get(created["id"]),
        await client.undelete(created["id"]),
        await client.events(created["id"]),
    ]


async def refusals(client: Client) -> list[Result]:
    created = await client.create(FULL)
    return [
        await client.create({"title": " ", "due_date": "soon", "labels": ["a,b"], "assignee_id": "me"}),
        await client.create({"title": "x", "external_id": "A-1"}),
        await client.create({"title": "a\0b"}),
        await client.update(created["id"], {"title": "", "description": "d" * 20_001}),
        await client.update(created["id"], {"owner_id": created["owner_id"]}),
        await client.update(created["id"], {"title": "x", "etag": "99"}),
        await client.delete(created["id"], "99"),
        await client.undelete(created["id"]),
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


async def lists(client: Client) -> list[Result]:
    await client.batch(FULL, {"title": "b", "labels": ["b"]}, {"title": "C", "due_date": "2026-01-01"})
    first = await client.list(page_size=2, order_by="title", include_total=True)
    return [
        {"titles": [task["title"] for task in first["tasks"]], "total": first["total_size"]},
        await client.list(page_size=2, order_by="title", include_total=True, page_token=first["next_page_token"]),
        await client.list(labels_any=["b", "x"], order_by="due_date desc"),
        await client.list(q="c", created_after="2026-01-01T00:00:00Z"),
        await client.list(overdue=True),
    ]


async def repeated_requests(client: Client) -> list[Result]:
    first = await client.create({"title": "x"}, "k-1")
    return [first, await client.create({"title": "x"}, "k-1"), await client.create({"title": "y"}, "k-1")]


_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]+(Z|\+00:00)")


def normalise(responses: list[Result]) -> str:
    """Return the results as JSON, with times removed and each id replaced by the order of its first occurrence."""
    text = _TIME.sub("<time>", to_json([{**response, "next_page_token": ""} for response in responses]).decode())
    seen: dict[str, str] = {}
    text = _ID.sub(lambda found: seen.setdefault(found[0], f"<{len(seen)}>"), text)
    return re.sub(r'"request_id":"[^"]*"', "", text)


@pytest.mark.parametrize("scenario", [life_cycle, refusals, lists, repeated_requests])
async def test_rest_and_grpc_give_the_same_results(system, scenario):
    by_rest, by_stubs = await system.new_user("rest"), await system.new_user("stub")
    targets = {"auth_target": system.auth_target, "tasks_target": system.tasks_target}
    settings = GatewaySettings.model_validate({"listen": Listen("127.0.0.1", 0), "drain_seconds": 1, **targets})
    async with run_gateway(settings) as address:
        headers = {"authorization": f"Bearer {by_rest.token}"}
        async with httpx.AsyncClient(base_url=f"http://{address}", headers=headers) as http:
            through_rest = await scenario(RestScenarioClient(http))
    through_stubs = await scenario(GrpcScenarioClient(system, by_stubs))
    assert normalise(through_rest) == normalise(through_stubs)
