"""Lists of tasks: restrictions, orders, pages, totals, and whose tasks they show."""

import base64
import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from taskmanager.tasks.v1 import task_pb2, task_service_pb2

from tests.integration.task_service.calls import create, delete, listed, refused, update

Status = task_pb2.Task.Status
Priority = task_pb2.Task.Priority
INVALID = grpc.StatusCode.INVALID_ARGUMENT


async def titles(system, person, **fields) -> list[str]:
    answer = await system.tasks.ListTasks(task_service_pb2.ListTasksRequest(**fields), metadata=person.metadata)
    return [task.title for task in answer.tasks]


@pytest.fixture
async def three(system, sonu):
    """Three tasks that differ in everything."""
    yesterday = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
    first: dict[str, Any] = {"title": "Äpfel kaufen", "due_date": yesterday, "labels": ["shop", "food"]}
    second: dict[str, Any] = {"title": "bake 100% cake_", "description": "with ÄPFEL", "labels": ["food"]}
    third: dict[str, Any] = {"title": "Call mum", "due_date": "2999-01-01", "status": Status.STATUS_COMPLETED}
    return [
        await create(system, sonu, **first, priority=Priority.PRIORITY_LOW),
        await create(system, sonu, **second, priority=Priority.PRIORITY_URGENT),
        await create(system, sonu, **third),
    ]


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"status": [Status.STATUS_COMPLETED]}, "2"),
        ({"status": [Status.STATUS_COMPLETED, Status.STATUS_PENDING]}, "012"),
        ({"priority": [Priority.PRIORITY_LOW, Priority.PRIORITY_URGENT]}, "01"),
        ({"labels_any": ["shop", "other"]}, "0"),
        ({"labels_any": ["food"]}, "01"),
        ({"labels_all": ["food", "shop"]}, "0"),
        ({"labels_all": ["food", "other"]}, ""),
        ({"due_before": "2999-01-01"}, "0"),
        ({"due_after": "2998-12-31"}, "2"),
        ({"due_after": "2999-01-01"}, ""),
        ({"overdue": True}, "0"),
        ({"q": "äpfel"}, "01"),
        ({"q": "ÄPFEL kaufen"}, "0"),
        ({"q": "100% cake_"}, "1"),
        ({"q": "1__"}, ""),
        ({"q": "%"}, "1"),
        ({"q": "\\"}, ""),
        ({"q": "  "}, "012"),
        ({"q": "😀"}, ""),
        ({"q": "food", "labels_any": ["food"]}, ""),
        ({"q": "cake", "labels_any": ["food"], "overdue": False}, "1"),
        ({"created_after": Timestamp(seconds=1), "updated_after": Timestamp(seconds=1)}, "012"),
        ({"created_before": Timestamp(seconds=1)}, ""),
        ({"updated_before": Timestamp(seconds=1)}, ""),
        ({"only_deleted": True}, ""),
    ],
)
async def test_a_list_shows_what_every_restriction_lets_pass(system, sonu, three, fields, found):
    expected = [three[int(place)].id for place in found]
    assert sorted(await listed(system, sonu, **fields)) == sorted(expected)


@pytest.mark.parametrize(
    ("order_by", "found"),
    [
        ("", "210"),
        ("created_at", "012"),
        ("created_at desc", "210"),
        ("due_date", "021"),
        ("due_date desc", "120"),
        ("priority", "201"),
        ("priority DESC", "102"),
        ("title asc", "120"),
        ("title desc", "021"),
        ("updated_at", "120"),
    ],
)
async def test_a_list_is_in_the_order_that_is_asked_for(system, sonu, three, order_by, found):
    await update(system, sonu, three[0].id, description="changed last")
    expected = [three[int(place)].id for place in found]
    if order_by == "updated_at":
        assert (await listed(system, sonu, order_by=order_by))[-1] == three[0].id
    else:
        assert await listed(system, sonu, order_by=order_by) == expected


async def test_what_is_deleted_is_hidden_shown_or_alone(system, sonu, three):
    await delete(system, sonu, three[1].id)
    assert await listed(system, sonu) == [three[2].id, three[0].id]
    assert await listed(system, sonu, show_deleted=True) == [three[2].id, three[1].id, three[0].id]
    assert await listed(system, sonu, only_deleted=True) == [three[1].id]


async def test_list_shows_owned_and_assigned_tasks_once(system, sonu):
    mina = await system.new_user("mina")
    own = await create(system, sonu, title="own")
    both = await create(system, sonu, title="both", assignee_id=sonu.id)
    hers = await create(system, mina, title="hers", assignee_id=sonu.id)
    await create(system, mina, title="only hers")
    for order_by in ("", "due_date desc", "title desc", "priority desc", "updated_at desc"):
        assert sorted(await listed(system, sonu, order_by=order_by)) == sorted([own.id, both.id, hers.id])
    assert await listed(system, sonu, owner_id=sonu.id) == [both.id, own.id]
    assert await listed(system, sonu, assignee_id=sonu.id) == [hers.id, both.id]
    for asked in (mina.id, "-"):
        call = system.tasks.ListTasks(task_service_pb2.ListTasksRequest(owner_id=asked), metadata=sonu.metadata)
        assert (await refused(call))[:2] == (grpc.StatusCode.PERMISSION_DENIED, "OWNER_NOT_YOURS")


async def test_an_admin_lists_another_owner_s_tasks_or_everybody_s(system, sonu):
    admin, mina = await system.new_admin(), await system.new_user("mina")
    first, second = await create(system, sonu, title="a"), await create(system, mina, title="b")
    assert await listed(system, admin) == []
    assert await listed(system, admin, owner_id=sonu.id) == [first.id]
    assert await listed(system, admin, owner_id="-") == [second.id, first.id]
    assert await listed(system, admin, owner_id="-", order_by="title") == [first.id, second.id]


async def test_the_total_is_told_where_it_is_asked_for(system, sonu, three):
    mina = await system.new_user("mina")
    await create(system, mina, title="hers", assignee_id=sonu.id)
    ask = task_service_pb2.ListTasksRequest
    for fields, total in (({}, 4), ({"labels_any": ["food"]}, 2), ({"q": "nothing"}, 0)):
        answer = await system.tasks.ListTasks(ask(page_size=1, include_total=True, **fields), metadata=sonu.metadata)
        assert answer.total_size == total
        assert answer.HasField("total_size")
    assert not (await system.tasks.ListTasks(ask(), metadata=sonu.metadata)).HasField("total_size")


async def test_every_wrong_parameter_is_named_at_once(system, sonu):
    request = task_service_pb2.ListTasksRequest(
        order_by="colour",
        status=[99],  # type: ignore[list-item]
        priority=[99],  # type: ignore[list-item]
        labels_any=["a" * 65],
        labels_all=[""],
        assignee_id="me",
        import_id="x",
        due_before="soon",
        due_after="2026-02-30",
        q="a" * 10_000,
    )
    code, _, violations = await refused(system.tasks.ListTasks(request, metadata=sonu.metadata))
    assert code is INVALID
    assert dict(violations) == {
        "status": "UNKNOWN_STATUS",
        "priority": "UNKNOWN_PRIORITY",
        "labels_any": "LABEL_TOO_LONG",
        "labels_all": "BLANK_LABEL",
        "assignee_id": "MALFORMED_ID",
        "import_id": "MALFORMED_ID",
        "due_before": "MALFORMED_DATE",
        "due_after": "MALFORMED_DATE",
        "q": "QUERY_TOO_LONG",
        "order_by": "UNKNOWN_ORDER",
    }


@pytest.mark.parametrize("order_by", ["title; DROP TABLE", "title desc desc", "id", "due_date,title", "TITLE"])
async def test_an_order_that_is_none_is_refused(system, sonu, order_by):
    call = system.tasks.ListTasks(task_service_pb2.ListTasksRequest(order_by=order_by), metadata=sonu.metadata)
    assert (await refused(call))[1] == "UNKNOWN_ORDER"


async def test_free_text_with_a_nul_is_refused(system, sonu):
    call = system.tasks.ListTasks(task_service_pb2.ListTasksRequest(q="a\0"), metadata=sonu.metadata)
    assert await refused(call) == (INVALID, "FORBIDDEN_CHARACTER", [("q", "FORBIDDEN_CHARACTER")])


@pytest.mark.parametrize("rest", [b"x", b"0123456789abcdef\xff", b"0123456789abcdefsoon", b"0123456789abcdef\x00"])
async def test_a_forged_page_token_is_refused(system, sonu, three, rest):
    """The digest is no secret: whoever computes it still gets a clear answer."""
    request = task_service_pb2.ListTasksRequest(page_size=1, order_by="due_date")
    token = (await system.tasks.ListTasks(request, metadata=sonu.metadata)).next_page_token
    digest = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))[:8]
    assert len(digest) == hashlib.sha256().digest_size // 4
    forged = base64.urlsafe_b64encode(digest + rest).decode().rstrip("=")
    again = task_service_pb2.ListTasksRequest(page_size=1, order_by="due_date", page_token=forged)
    assert (await refused(system.tasks.ListTasks(again, metadata=sonu.metadata)))[1] == "INVALID_PAGE_TOKEN"
