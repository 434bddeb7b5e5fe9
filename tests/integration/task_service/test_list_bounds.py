"""Lists, totals and exports read a bounded number of tasks, whatever their filters."""

from typing import Any

import grpc
import pytest
from taskmanager.tasks.v1 import task_service_pb2

import task_service.tasks.bootstrap
from task_service.tasks.usecases.scans import ScanLimits
from tests.integration.task_service.calls import batch_create, create, list_ids
from tests.support.grpc_calls import expect_failure
from tests.support.metrics import metric_value
from tests.support.rest import rest_client

MAX_ROWS, MAX_SORTED, MAX_COUNTED = 10, 30, 20
TOO_EXPENSIVE = (
    grpc.StatusCode.INVALID_ARGUMENT,
    "QUERY_TOO_EXPENSIVE",
    [("order_by", "QUERY_TOO_EXPENSIVE")],
)


@pytest.fixture
def tasks_settings(monkeypatch):
    """Replace the limits of the service by small ones. A page or a total never takes a second step."""
    limits = ScanLimits(
        step_rows=MAX_ROWS,
        search_step_rows=MAX_ROWS // 2,
        max_seconds=0,
        min_counted_rows=0,
        max_sorted=MAX_SORTED,
        max_counted=MAX_COUNTED,
    )
    monkeypatch.setattr(task_service.tasks.bootstrap, "SCAN_LIMITS", limits)
    return {}


@pytest.fixture
async def many_tasks(system, sonu):
    """Forty-five tasks, of which the oldest three have the label rare and the word rare."""
    for first in range(0, 45, 15):
        await batch_create(
            system,
            sonu,
            [
                {"title": f"rare {number}" if number < 3 else str(number), "labels": ["rare"] if number < 3 else []}
                for number in range(first, first + 15)
            ],
        )


async def pages(system, person, **fields) -> list[task_service_pb2.ListTasksResponse]:
    found: list[task_service_pb2.ListTasksResponse] = []
    token = ""
    while not found or token:
        request = task_service_pb2.ListTasksRequest(page_token=token, **fields)
        found.append(await system.tasks.ListTasks(request, metadata=person.metadata))
        token = found[-1].next_page_token
    return found


@pytest.mark.parametrize(
    ("fields", "pages_without_matches"), [({"labels_any": ["rare"]}, 4), ({"q": "rare"}, 8)], ids=["filter", "search"]
)
@pytest.mark.parametrize("order_by", ["", "updated_at desc", "due_date desc"])
async def test_page_ends_after_a_number_of_rows(system, sonu, many_tasks, fields, pages_without_matches, order_by):
    """Pages without a match are empty and have a token. All pages together have each match once."""
    found = await pages(system, sonu, order_by=order_by, **fields)
    counts = [len(page.tasks) for page in found]
    assert counts[:pages_without_matches] == [0] * pages_without_matches
    titles = [task.title for page in found for task in page.tasks]
    assert titles == ["rare 2", "rare 1", "rare 0"]


async def test_first_step_is_small(system, sonu, many_tasks, monkeypatch):
    """A page of one step reads few rows, because they may come from a disk."""
    monkeypatch.setattr(task_service.tasks.bootstrap, "SCAN_LIMITS", ScanLimits(first_step_rows=4, max_seconds=0))
    async with system.new_tasks_replica() as tasks:
        request = task_service_pb2.ListTasksRequest(labels_any=["rare"])
        counts: list[int] = []
        while not counts or request.page_token:
            page = await tasks.ListTasks(request, metadata=sonu.metadata)
            counts.append(len(page.tasks))
            request.page_token = page.next_page_token
    assert counts == [0] * 10 + [2, 1]


async def test_page_takes_steps_until_it_is_full(system, sonu, many_tasks, monkeypatch):
    """Steps of 1, 4, 8 and 8 rows find the oldest tasks of the list, and its total, in one page."""
    limits = ScanLimits(first_step_rows=1, step_rows=8, max_seconds=60)
    monkeypatch.setattr(task_service.tasks.bootstrap, "SCAN_LIMITS", limits)
    async with system.new_tasks_replica() as tasks:
        request = task_service_pb2.ListTasksRequest(labels_any=["rare"], include_total=True)
        page = await tasks.ListTasks(request, metadata=sonu.metadata)
    assert [task.title for task in page.tasks] == ["rare 2", "rare 1", "rare 0"]
    assert (page.total_size, page.total_is_at_least, page.next_page_token) == (3, False, "")


async def test_list_without_any_match_ends(system, sonu, many_tasks):
    found = await pages(system, sonu, labels_any=["none"])
    assert [len(page.tasks) for page in found] == [0] * 5


async def test_full_pages_need_no_step(system, sonu, many_tasks):
    """A page of matches ends at its size, and continues after its last task."""
    found = await pages(system, sonu, page_size=4)
    assert [len(page.tasks) for page in found] == [4] * 11 + [1]
    assert len({task.id for page in found for task in page.tasks}) == 45


async def test_deleted_tasks_count_as_rows_that_were_read(system, sonu, many_tasks):
    """The undo of an import can leave a million deleted tasks, which a default list must pass."""
    ids = [task.id for page in await pages(system, sonu) for task in page.tasks]
    requests = [task_service_pb2.DeleteTaskRequest(id=task_id) for task_id in ids[:40]]
    batch = task_service_pb2.BatchDeleteTasksRequest(requests=requests)
    await system.tasks.BatchDeleteTasks(batch, metadata=sonu.metadata)
    found = await pages(system, sonu)
    assert [len(page.tasks) for page in found] == [0, 0, 0, 0, 5]


async def test_export_reads_on_after_empty_pages(system, sonu, many_tasks):
    export = system.tasks.ExportTasks(task_service_pb2.ExportTasksRequest(labels_any=["rare"]), metadata=sonu.metadata)
    assert b"".join([body.data async for body in export]).count(b"\n") == 4


@pytest.mark.parametrize(
    ("fields", "total", "is_at_least"),
    [
        ({}, MAX_ROWS, True),
        ({"q": "rare"}, 0, True),
        ({"ids": ["0190b5a6-7f6e-7cc0-98d6-2f8a4b3c1d2e"]}, 0, False),
        ({"created_after": "2999-01-01T00:00:00Z"}, 0, False),
    ],
)
async def test_total_tells_whether_it_is_complete(system, sonu, many_tasks, fields, total, is_at_least):
    """Counting ends after a number of rows: what was counted is then a lower bound."""
    async with rest_client(system, sonu) as rest:
        page = (await rest.get("/tasks", params={"include_total": "true", "page_size": "1", **fields})).json()
    assert (page["total_size"], page["total_is_at_least"]) == (total, is_at_least)


@pytest.mark.parametrize(
    ("max_total_seconds", "expected"), [(60, (45, False)), (0, (4, True))], ids=["slow database", "out of time"]
)
async def test_total_does_not_depend_on_the_load(system, sonu, many_tasks, monkeypatch, max_total_seconds, expected):
    """A total reads a number of rows even if they take longer than a page may, up to a time of its own."""
    limits = ScanLimits(first_step_rows=4, max_seconds=0, min_counted_rows=46, max_total_seconds=max_total_seconds)
    monkeypatch.setattr(task_service.tasks.bootstrap, "SCAN_LIMITS", limits)
    async with system.new_tasks_replica() as tasks:
        request = task_service_pb2.ListTasksRequest(include_total=True)
        response = await tasks.ListTasks(request, metadata=sonu.metadata)
    assert (response.total_size, response.total_is_at_least) == expected


async def test_total_goes_on_after_the_page(system, sonu, many_tasks, monkeypatch):
    """The first page ends early and without a match. The total counts the rows after it."""
    limits = ScanLimits(first_step_rows=4, max_seconds=0, min_counted_rows=46, max_total_seconds=60)
    monkeypatch.setattr(task_service.tasks.bootstrap, "SCAN_LIMITS", limits)
    async with system.new_tasks_replica() as tasks:
        request = task_service_pb2.ListTasksRequest(include_total=True, labels_any=["rare"])
        response = await tasks.ListTasks(request, metadata=sonu.metadata)
    assert (len(response.tasks), bool(response.next_page_token)) == (0, True)
    assert (response.total_size, response.total_is_at_least) == (3, False)


async def test_total_of_a_page_with_all_tasks_needs_no_statement(system, sonu):
    """Twenty lists with a total need fewer than forty connections. Background loops need some, too."""
    await create(system, sonu, title="a")
    requests = metric_value("database_pool_requests_total", pool="task_service")
    for _ in range(20):
        request = task_service_pb2.ListTasksRequest(include_total=True)
        response = await system.tasks.ListTasks(request, metadata=sonu.metadata)
        assert (response.total_size, response.total_is_at_least) == (1, False)
    assert metric_value("database_pool_requests_total", pool="task_service") - requests < 40


async def test_total_ends_at_a_number_of_matches(system, sonu, many_tasks, monkeypatch):
    """Below the maximum a total is exact."""
    for max_counted, expected in ((45, (45, False)), (44, (44, True))):
        limits = ScanLimits(step_rows=100, max_counted=max_counted)
        monkeypatch.setattr(task_service.tasks.bootstrap, "SCAN_LIMITS", limits)
        async with system.new_tasks_replica() as tasks:
            request = task_service_pb2.ListTasksRequest(include_total=True, page_size=1)
            response = await tasks.ListTasks(request, metadata=sonu.metadata)
        assert (response.total_size, response.total_is_at_least) == expected


SORTED: list[dict[str, Any]] = [
    {"order_by": "title"},
    {"order_by": "priority desc"},
    {"order_by": "due_date", "show_deleted": True},
    {"order_by": "title", "labels_any": ["rare"]},
]


@pytest.mark.parametrize("fields", SORTED)
async def test_sorting_many_tasks_is_refused(system, sonu, many_tasks, fields):
    """The message names what to narrow. Exports are refused too, before their first byte."""
    request = task_service_pb2.ListTasksRequest(**fields)
    assert await expect_failure(system.tasks.ListTasks(request, metadata=sonu.metadata)) == TOO_EXPENSIVE
    export = system.tasks.ExportTasks(task_service_pb2.ExportTasksRequest(**fields), metadata=sonu.metadata)
    assert await expect_failure(export.read()) == TOO_EXPENSIVE
    async with rest_client(system, sonu) as rest:
        response = await rest.get("/tasks", params={"order_by": "title"})
    error = response.json()["error"]
    assert (response.status_code, error["details"][0]["reason"], error["details"][0]["field"]) == (
        400,
        "QUERY_TOO_EXPENSIVE",
        "order_by",
    )
    for name in ("created_at", "due_date", "updated_at", "owner", "created_after", "created_before"):
        assert name in error["message"]


@pytest.mark.parametrize("order_by", ["title", "priority", "due_date", "updated_at"])
async def test_lists_of_all_owners_have_one_order(system, sonu, many_tasks, order_by):
    admin = await system.new_admin()
    request = task_service_pb2.ListTasksRequest(owner_id="-", order_by=order_by)
    assert await expect_failure(system.tasks.ListTasks(request, metadata=admin.metadata)) == TOO_EXPENSIVE
    request.owner_id = sonu.id
    if order_by in {"due_date", "updated_at"}:
        assert (await system.tasks.ListTasks(request, metadata=admin.metadata)).tasks


async def test_narrow_ranges_are_sorted(system, sonu, many_tasks):
    """Few tasks in the range of a filter are sorted in any order."""
    listed = [task for page in await pages(system, sonu) for task in page.tasks]
    for field in ("created_after", "updated_after"):
        request = task_service_pb2.ListTasksRequest(order_by="title", page_size=4)
        getattr(request, field).CopyFrom(listed[15].updated_at)  # the newest of the second batch
        titles: list[str] = []
        for _ in range(4):
            page = await system.tasks.ListTasks(request, metadata=sonu.metadata)
            titles += [task.title for task in page.tasks]
            request.page_token = page.next_page_token
        assert (titles, request.page_token) == (sorted(task.title for task in listed[:15]), "")
    assert await list_ids(system, sonu, order_by="title", external_id="none", owner_id="me") == []
