"""Tasks as large as they may be: whoever may read them can, with a client that nobody configured."""

import grpc
import httpx2 as httpx
import pytest
from taskmanager.tasks.v1 import history_service_pb2, history_service_pb2_grpc, task_service_pb2, task_service_pb2_grpc

from chassis.settings import Listen
from chassis.rpc.client import MAX_RESPONSE_BYTES
from gateway.bootstrap import gateway
from gateway.settings import GatewaySettings
from task_service.tasks.usecases.batches import MOST_IN_BATCH
from tests.integration.task_service.calls import batch_create, create, update

USUAL_LIMIT = 4 * 1024 * 1024
LARGEST = {
    "title": "😀" * 500,
    "description": "😀" * 20_000,
    "labels": [f"{number:02}" + "😀" * 62 for number in range(50)],
}


def task(number: int) -> dict[str, object]:
    return {**LARGEST, "external_id": f"{number:03}" + "😀" * 197}


@pytest.fixture
async def strangers_channel(system):
    """A channel as another team's program opens it."""
    async with grpc.aio.insecure_channel(system.tasks_target) as channel:
        yield channel


async def walked(call, request, items: str) -> tuple[list[str], list[int]]:
    """The ids on all pages, and how many bytes each page has."""
    ids, sizes = [], []
    while True:
        answer = await call(request)
        ids += [item.id for item in getattr(answer, items)]
        sizes.append(answer.ByteSize())
        if not answer.next_page_token:
            return ids, sizes
        request.page_token = answer.next_page_token


async def test_a_list_of_the_largest_tasks_is_read_page_by_page_and_none_is_missed_or_doubled(
    system, sonu, strangers_channel
):
    for begin in (0, 30):
        await batch_create(system, sonu, [task(number) for number in range(begin, begin + 30)])
    stub = task_service_pb2_grpc.TaskServiceStub(strangers_channel)

    async def call(request):
        return await stub.ListTasks(request, metadata=sonu.metadata)

    for order in ("created_at", "title desc"):
        request = task_service_pb2.ListTasksRequest(page_size=200, order_by=order)
        ids, sizes = await walked(call, request, "tasks")
        assert len(ids) == len(set(ids)) == 60
        assert max(sizes) < USUAL_LIMIT / 2 + 1000
        assert len(sizes) == 3


async def test_so_are_the_events_of_a_task_and_the_log_of_them_all(system, sonu, strangers_channel):
    long = await create(system, sonu, title="long")
    for letter in "😀😁" * 14:
        await update(system, sonu, long.id, description=letter * 20_000)
    admin = await system.admin()
    stub = history_service_pb2_grpc.HistoryServiceStub(strangers_channel)

    async def of_task(request):
        return await stub.ListTaskEvents(request, metadata=sonu.metadata)

    async def of_all(request):
        return await stub.ListEvents(request, metadata=admin.metadata)

    one = history_service_pb2.ListTaskEventsRequest(task_id=long.id, page_size=200)
    every = history_service_pb2.ListEventsRequest(page_size=200)
    for ids, sizes in (await walked(of_task, one, "events"), await walked(of_all, every, "events")):
        assert len(ids) == len(set(ids)) == 29
        assert max(sizes) < USUAL_LIMIT / 2 + 1000


async def test_the_answer_to_the_largest_batch_that_is_committed_is_read_through_the_gateway(system, sonu):
    for begin in range(0, MOST_IN_BATCH, 25):
        await batch_create(system, sonu, [task(number) for number in range(begin, begin + 25)])
    targets = {"auth_target": system.auth_target, "tasks_target": system.tasks_target}
    settings = GatewaySettings.model_validate({"listen": Listen("127.0.0.1", 0), "drain_seconds": 1, **targets})
    async with (
        gateway(settings) as address,
        httpx.AsyncClient(
            base_url=f"http://{address}/api/v1", headers={"authorization": f"Bearer {sonu.token}"}, timeout=60
        ) as rest,
    ):
        ids, query = [], {"page_size": "200"}
        while query:
            page = (await rest.get("/tasks", params=query)).json()
            ids += [one["id"] for one in page["tasks"]]
            query = page["next_page_token"] and {"page_size": "200", "page_token": page["next_page_token"]}
        assert len(set(ids)) == MOST_IN_BATCH
        answer = await rest.post("/tasks:batchDelete", json={"requests": [{"id": one} for one in ids]})
        assert answer.status_code == 200, answer.text
        assert [one["id"] for one in answer.json()["tasks"]] == ids
        assert 2 * USUAL_LIMIT < len(answer.content) < MAX_RESPONSE_BYTES
