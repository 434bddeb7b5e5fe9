"""Very large filters and pages are refused by name, deduplicated or capped; free text finds special characters."""

from itertools import chain
from typing import Any

import pytest
from taskmanager.tasks.v1 import history_service_pb2, task_pb2, task_service_pb2

from tests.integration.task_service.calls import create
from tests.support.grpc_calls import expect_failure
from tests.support.rest import rest_client, violations_in
from tests.support.texts import FAMILY, LONG, RIGHT_TO_LEFT


@pytest.mark.parametrize(
    ("parameter", "reason"),
    [
        ("order_by", "UNKNOWN_ORDER"),
        ("q", "QUERY_TOO_LONG"),
        ("labels_any", "LABEL_TOO_LONG"),
        ("labels_all", "LABEL_TOO_LONG"),
        ("labels_none", "LABEL_TOO_LONG"),
        ("external_id", "TOO_LONG"),
        ("ids", "MALFORMED_ID"),
        ("owner_id", "MALFORMED_ID"),
        ("assignee_id", "MALFORMED_ID"),
        ("import_id", "MALFORMED_ID"),
        ("due_before", "MALFORMED_DATE"),
        ("due_after", "MALFORMED_DATE"),
        ("page_token", "INVALID_PAGE_TOKEN"),
    ],
)
async def test_very_long_filter_is_refused_by_name(system, sonu, rest, parameter, reason):
    value = [LONG] if parameter.startswith(("labels", "ids")) else LONG
    request = task_service_pb2.ListTasksRequest(**{parameter: value})  # type: ignore[arg-type]
    expected = [(parameter, reason)]
    assert (await expect_failure(system.tasks.ListTasks(request, metadata=sonu.metadata))).violations == expected
    assert violations_in(await rest.get("/tasks", params={parameter: LONG})) == expected


async def test_many_filter_values_are_refused_or_deduplicated(system, sonu, rest):
    await create(system, sonu, title="x", labels=["a"])
    many = task_service_pb2.ListTasksRequest(labels_any=[str(number) for number in range(10_000)])
    expected = [("labels_any", "TOO_MANY_LABELS")]
    assert (await expect_failure(system.tasks.ListTasks(many, metadata=sonu.metadata))).violations == expected
    same = task_service_pb2.ListTasksRequest(labels_any=["a"] * 10_000, status=[task_pb2.Task.STATUS_PENDING] * 10_000)
    assert len((await system.tasks.ListTasks(same, metadata=sonu.metadata)).tasks) == 1


async def test_rest_takes_the_filters_of_integrations(system, sonu, rest):
    """Lists, exports, counts and imports take them; a hundred ids fit into a URL."""
    mina = await system.new_user("mina")
    own = await create(system, sonu, title="own", external_id="A-1", labels=["a"], due_date="2026-03-31")
    done = await create(system, sonu, title="done", status=task_pb2.Task.STATUS_COMPLETED, assignee_id=sonu.id)
    hers = await create(system, mina, title="hers", assignee_id=sonu.id)
    ids = [own.id, hers.id, *(f"0190b5a6-7f6e-7cc0-98d6-2f8a4b3c{number:04x}" for number in range(98))]
    cases: list[tuple[dict[str, Any], list[task_pb2.Task]]] = [
        ({"ids": ids}, [hers, own]),
        ({"external_id": "A-1"}, [own]),
        ({"labels_none": ["a", "b"]}, [hers, done]),
        ({"no_due_date": "true"}, [hers, done]),
        ({"completed_after": done.completed_at.ToJsonString()}, []),
        ({"completed_after": "2026-01-01T00:00:00Z", "completed_before": "2999-01-01T00:00:00Z"}, [done]),
        ({"owner_id": "me"}, [done, own]),
        ({"assignee_id": "me", "owner_id": "me"}, [done]),
    ]
    for params, expected in cases:
        listed = await rest.get("/tasks", params={**params, "include_total": "true"})
        assert [task["id"] for task in listed.json()["tasks"]] == [task.id for task in expected], params
        assert listed.json()["total_size"] == len(expected)
        exported = (await rest.get("/tasks:export", params=params)).text.splitlines()[1:]
        assert [line.partition(",")[0] for line in exported] == [task.title for task in expected], params
    assert (await rest.get("/tasks:stats", params={"owner_id": "me"})).json()["total"] == 2
    assert (await rest.get("/imports", params={"owner_id": "me"})).json()["imports"] == []
    for parameter in ("completed_after", "completed_before"):
        assert violations_in(await rest.get("/tasks", params={parameter: "today"})) == [(parameter, "INVALID_TIME")]


@pytest.mark.parametrize("text", [FAMILY, RIGHT_TO_LEFT, "100%", "a_b", "\\", "'; --", "Ä"])
async def test_free_text_search_finds_special_characters(system, sonu, rest, text):
    task = await create(system, sonu, title=f"before {text} behind")
    await create(system, sonu, title="100 ab A")
    response = await rest.get("/tasks", params={"q": text})
    assert [found["id"] for found in response.json()["tasks"]] == [task.id]


async def test_event_log_refuses_very_long_filters(system):
    admin = await system.new_admin()
    async with rest_client(system, admin) as http:
        for parameter in ("task_id", "owner_id", "actor_id"):
            assert violations_in(await http.get("/events", params={parameter: LONG})) == [(parameter, "MALFORMED_ID")]
        found = (await http.get("/events", params={"request_id": LONG})).json()
        assert (found["events"], found["next_page_token"]) == ([], "")
        assert violations_in(await http.get("/events", params={"cursor": LONG})) == [("cursor", "INVALID_CURSOR")]
        assert violations_in(await http.get("/events", params={"page_token": LONG})) == [
            ("page_token", "INVALID_PAGE_TOKEN")
        ]
        assert violations_in(await http.get("/events:watch", params={"cursor": LONG})) == [("cursor", "INVALID_CURSOR")]


async def test_page_size_is_capped_at_two_hundred(system, sonu, rest):
    """A page holds at most 200 tasks, however many are requested; the rest follows on the next pages."""
    requests = [task_service_pb2.CreateTaskRequest(task=task_pb2.Task(title=str(number))) for number in range(100)]
    created: list[str] = []
    for _ in range(3):
        batch_of = task_service_pb2.BatchCreateTasksRequest(requests=requests)
        created += [task.id for task in (await system.tasks.BatchCreateTasks(batch_of, metadata=sonu.metadata)).tasks]
    pages: list[list[str]] = []
    token = ""
    while not pages or token:
        page = (await rest.get("/tasks", params={"page_size": 2**31 - 1, "page_token": token})).json()
        pages.append([task["id"] for task in page["tasks"]])
        token = page["next_page_token"]
    assert [len(page) for page in pages] == [200, 100]
    listed = list(chain(*pages))
    assert sorted(listed) == sorted(created)
    assert len((await rest.get("/tasks")).json()["tasks"]) == 50
    assert violations_in(await rest.get("/tasks", params={"page_size": 2**31})) == [("page_size", "OUT_OF_RANGE")]
    # In pages of one task: each page continues after the key of the last one.
    visited: list[str] = []
    for _ in range(300):
        request = task_service_pb2.ListTasksRequest(page_size=1, page_token=token)
        response = await system.tasks.ListTasks(request, metadata=sonu.metadata)
        visited += [task.id for task in response.tasks]
        token = response.next_page_token
    assert (visited, token) == (listed, "")


async def test_event_page_size_is_capped_at_two_hundred(system, sonu, database):
    admin, task = await system.new_admin(), await create(system, sonu, title="x")
    await database.execute(f"""
        INSERT INTO tasks.task_events
            (id, task_id, owner_id, action, actor_id, actor_role, occurred_at, request_id, changes, revision,
             transaction_number)
        SELECT uuidv7(), task_id, owner_id, 'updated', actor_id, actor_role, now(), 'r', '{{}}', added, number
        FROM tasks.task_events, tasks.take_transaction_number() AS number, generate_series(2, 251) AS added
        WHERE task_id = '{task.id}'
    """)
    for response in (
        await system.history.ListEvents(
            history_service_pb2.ListEventsRequest(page_size=2**31 - 1), metadata=admin.metadata
        ),
        await system.history.ListTaskEvents(
            history_service_pb2.ListTaskEventsRequest(task_id=task.id, page_size=2**31 - 1), metadata=sonu.metadata
        ),
    ):
        assert (len(response.events), bool(response.next_page_token)) == (200, True)
