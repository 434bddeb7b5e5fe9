"""Responses with the largest tasks fit a client with gRPC's default limits."""

import grpc
import httpx2 as httpx
import pytest
from taskmanager.tasks.v1 import history_service_pb2, history_service_pb2_grpc, task_service_pb2, task_service_pb2_grpc

from chassis.rpc.client import MAX_RESPONSE_BYTES
from chassis.settings import Listen
from gateway.server import run_server as run_gateway
from gateway.settings import GatewaySettings
from task_service.tasks.domain.batches import MAX_BATCH_SIZE
from tests.integration.task_service.calls import batch_create, create, update

DEFAULT_MAX_BYTES = 4 * 1024 * 1024
LARGEST = {
    "title": "😀" * 500,
    "description": "😀" * 20_000,
    "labels": [f"{number:02}" + "😀" * 62 for number in range(50)],
}


def task(number: int) -> dict[str, object]:
    return {**LARGEST, "external_id": f"{number:03}" + "😀" * 197}


@pytest.fixture
async def default_channel(system):
    """Channel without options, as another team's program opens it."""
    async with grpc.aio.insecure_channel(system.tasks_target) as channel:
        yield channel


async def read_all_pages(call, request, items: str) -> tuple[list[str], list[int]]:
    """Return the ids on all pages and the size of each page in bytes."""
    ids, sizes = [], []
    while True:
        response = await call(request)
        ids += [item.id for item in getattr(response, items)]
        sizes.append(response.ByteSize())
        if not response.next_page_token:
            return ids, sizes
        request.page_token = response.next_page_token


async def test_largest_tasks_are_listed_in_small_pages(system, sonu, default_channel):
    """Pages of the largest tasks stay below gRPC's default limit; none is missed or repeated."""
    for begin in (0, 30):
        await batch_create(system, sonu, [task(number) for number in range(begin, begin + 30)])
    stub = task_service_pb2_grpc.TaskServiceStub(default_channel)

    async def call(request):
        return await stub.ListTasks(request, metadata=sonu.metadata)

    for order in ("created_at", "title desc"):
        request = task_service_pb2.ListTasksRequest(page_size=200, order_by=order)
        ids, sizes = await read_all_pages(call, request, "tasks")
        assert len(ids) == len(set(ids)) == 60
        assert max(sizes) < DEFAULT_MAX_BYTES / 2 + 1000
        assert len(sizes) == 3


async def test_largest_events_are_listed_in_small_pages(system, sonu, default_channel):
    long = await create(system, sonu, title="long")
    for letter in "😀😁" * 14:
        await update(system, sonu, long.id, description=letter * 20_000)
    admin = await system.new_admin()
    stub = history_service_pb2_grpc.HistoryServiceStub(default_channel)

    async def list_task_events(request):
        return await stub.ListTaskEvents(request, metadata=sonu.metadata)

    async def list_events(request):
        return await stub.ListEvents(request, metadata=admin.metadata)

    task_request = history_service_pb2.ListTaskEventsRequest(task_id=long.id, page_size=200)
    log_request = history_service_pb2.ListEventsRequest(page_size=200)
    for ids, sizes in (
        await read_all_pages(list_task_events, task_request, "events"),
        await read_all_pages(list_events, log_request, "events"),
    ):
        assert len(ids) == len(set(ids)) == 29
        assert max(sizes) < DEFAULT_MAX_BYTES / 2 + 1000


async def test_largest_batch_response_passes_the_gateway(system, sonu):
    """The gateway reads the response to the largest batch that can be committed."""
    for begin in range(0, MAX_BATCH_SIZE, 25):
        await batch_create(system, sonu, [task(number) for number in range(begin, begin + 25)])
    targets = {"auth_target": system.auth_target, "tasks_target": system.tasks_target}
    settings = GatewaySettings.model_validate({"listen": Listen("127.0.0.1", 0), "drain_seconds": 1, **targets})
    async with (
        run_gateway(settings) as address,
        httpx.AsyncClient(
            base_url=f"http://{address}/api/v1", headers={"authorization": f"Bearer {sonu.token}"}, timeout=60
        ) as rest,
    ):
        ids, query = [], {"page_size": "200"}
        while query:
            page = (await rest.get("/tasks", params=query)).json()
            ids += [task_request["id"] for task_request in page["tasks"]]
            query = page["next_page_token"] and {"page_size": "200", "page_token": page["next_page_token"]}
        assert len(set(ids)) == MAX_BATCH_SIZE
        response = await rest.post(
            "/tasks:batchDelete", json={"requests": [{"id": task_request} for task_request in ids]}
        )
        assert response.status_code == 200, response.text
        assert [task_request["id"] for task_request in response.json()["tasks"]] == ids
        assert 2 * DEFAULT_MAX_BYTES < len(response.content) < MAX_RESPONSE_BYTES
