"""Lists of tasks: filters, orders, pages, totals and visibility."""

import base64
import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from taskmanager.tasks.v1 import task_pb2, task_service_pb2

from tests.integration.task_service.calls import create, delete, list_ids, update
from tests.support.grpc_calls import expect_failure

Status = task_pb2.Task.Status
Priority = task_pb2.Task.Priority
INVALID = grpc.StatusCode.INVALID_ARGUMENT


@pytest.fixture
async def three_tasks(system, sonu):
    """Three tasks that differ in every field."""
    yesterday = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
    first: dict[str, Any] = {
        "title": "Äpfel kaufen",
        "due_date": yesterday,
        "labels": ["shop", "food"],
        "external_id": "A-1",
    }
    second: dict[str, Any] = {"title": "bake 100% cake_", "description": "with ÄPFEL", "labels": ["food"]}
    second |= {"external_id": "\u00e9", "assignee_id": sonu.id}
    third: dict[str, Any] = {"title": "Call mum", "due_date": "2999-01-01", "status": Status.STATUS_COMPLETED}
    return [
        await create(system, sonu, **first, priority=Priority.PRIORITY_LOW),
        await create(system, sonu, **second, priority=Priority.PRIORITY_URGENT),
        await create(system, sonu, **third),
    ]


@pytest.mark.parametrize(
    ("fields", "expected_indexes"),
    [
        ({"status": [Status.STATUS_COMPLETED]}, "2"),
        ({"status": [Status.STATUS_COMPLETED, Status.STATUS_PENDING]}, "012"),
        ({"priority": [Priority.PRIORITY_LOW, Priority.PRIORITY_URGENT]}, "01"),
        ({"labels_any": ["shop", "other"]}, "0"),
        ({"labels_any": ["food"]}, "01"),
        ({"labels_all": ["food", "shop"]}, "0"),
        ({"labels_all": ["food", "other"]}, ""),
        ({"labels_none": ["shop", "other"]}, "12"),
        ({"labels_none": ["food"]}, "2"),
        ({"due_before": "2999-01-01"}, "0"),
        ({"no_due_date": True}, "1"),
        ({"no_due_date": True, "due_before": "2999-01-01"}, ""),
        ({"completed_after": Timestamp(seconds=1)}, "2"),
        ({"completed_before": Timestamp(seconds=1)}, ""),
        ({"completed_before": Timestamp(seconds=2**34)}, "2"),
        ({"external_id": "A-1"}, "0"),
        ({"external_id": " A-1 "}, "0"),
        ({"external_id": "a-1"}, ""),
        ({"external_id": "A-1", "show_deleted": True}, "0"),
        ({"external_id": "A-1", "no_due_date": True}, ""),
        ({"external_id": "e\u0301"}, "1"),
        ({"assignee_id": "me"}, "1"),
        ({"owner_id": "me"}, "012"),
        ({"owner_id": "me", "external_id": "A-1"}, "0"),
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
async def test_list_is_filtered_by_every_parameter(system, sonu, three_tasks, fields, expected_indexes):
    expected = [three_tasks[int(index)].id for index in expected_indexes]
    assert sorted(await list_ids(system, sonu, **fields)) == sorted(expected)


@pytest.mark.parametrize(
    ("order_by", "expected_indexes"),
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
async def test_list_is_sorted_by_order_by(system, sonu, three_tasks, order_by, expected_indexes):
    await update(system, sonu, three_tasks[0].id, description="changed last")
    expected = [three_tasks[int(index)].id for index in expected_indexes]
    if order_by == "updated_at":
        assert (await list_ids(system, sonu, order_by=order_by))[-1] == three_tasks[0].id
    else:
        assert await list_ids(system, sonu, order_by=order_by) == expected


async def test_list_by_ids_ignores_duplicates_and_invisible_tasks(system, sonu, three_tasks):
    mina = await system.new_user("mina")
    hers = await create(system, mina, title="hers")
    ids = [three_tasks[2].id, three_tasks[0].id, three_tasks[2].id, hers.id, str(uuid4())]
    assert await list_ids(system, sonu, ids=ids) == [three_tasks[2].id, three_tasks[0].id]
    assert await list_ids(system, sonu, ids=ids, labels_any=["shop"]) == [three_tasks[0].id]
    await list_ids(system, sonu, ids=[str(uuid4()) for _ in range(100)])
    for invalid, reason in (([three_tasks[0].id] * 101, "TOO_MANY_IDS"), (["", "x"], "MISSING_FIELD")):
        call = system.tasks.ListTasks(task_service_pb2.ListTasksRequest(ids=invalid), metadata=sonu.metadata)
        assert await expect_failure(call) == (INVALID, reason, [("ids", reason)])


async def test_list_by_external_id_finds_assigned_and_deleted_tasks(system, sonu):
    mina = await system.new_user("mina")
    deleted = await create(system, sonu, title="a", external_id="A-1")
    await delete(system, sonu, deleted.id)
    own = await create(system, sonu, title="a", external_id="A-1")
    hers = await create(system, mina, title="a", external_id="A-1", assignee_id=sonu.id)
    await create(system, mina, title="a", external_id="A-2", assignee_id=sonu.id)
    assert await list_ids(system, sonu, external_id="A-1") == [hers.id, own.id]
    assert await list_ids(system, sonu, external_id="A-1", owner_id="me") == [own.id]
    assert await list_ids(system, sonu, external_id="A-1", show_deleted=True) == [hers.id, own.id, deleted.id]
    assert await list_ids(system, sonu, external_id="A-1", only_deleted=True) == [deleted.id]
    admin = await system.new_admin()
    assert await list_ids(system, admin, external_id="A-1", owner_id="-") == [hers.id, own.id]


async def test_service_has_no_me(system, sonu):
    service = await system.new_service("tasks:read")
    for field in ("assignee_id", "owner_id"):
        request = task_service_pb2.ListTasksRequest(**{field: "me"})  # type: ignore[arg-type]
        assert await expect_failure(system.tasks.ListTasks(request, metadata=service.metadata)) == (
            INVALID,
            "ME_REQUIRES_USER",
            [(field, "ME_REQUIRES_USER")],
        )


async def test_page_token_belongs_to_its_filters(system, sonu, three_tasks):
    ids = [task.id for task in three_tasks]
    request = task_service_pb2.ListTasksRequest(page_size=1, ids=ids)
    token = (await system.tasks.ListTasks(request, metadata=sonu.metadata)).next_page_token
    again = task_service_pb2.ListTasksRequest(page_size=1, ids=reversed(ids), page_token=token)
    assert [task.id for task in (await system.tasks.ListTasks(again, metadata=sonu.metadata)).tasks] == [ids[1]]
    for other in ({"ids": ids[:2]}, {"ids": ids, "labels_none": ["x"]}, {"ids": ids, "no_due_date": True}):
        changed = task_service_pb2.ListTasksRequest(page_size=1, page_token=token, **other)
        failure = await expect_failure(system.tasks.ListTasks(changed, metadata=sonu.metadata))
        assert failure.reason == "INVALID_PAGE_TOKEN", other


async def test_deleted_tasks_can_be_excluded_included_or_selected(system, sonu, three_tasks):
    await delete(system, sonu, three_tasks[1].id)
    assert await list_ids(system, sonu) == [three_tasks[2].id, three_tasks[0].id]
    assert await list_ids(system, sonu, show_deleted=True) == [three_tasks[2].id, three_tasks[1].id, three_tasks[0].id]
    assert await list_ids(system, sonu, only_deleted=True) == [three_tasks[1].id]


async def test_list_shows_owned_and_assigned_tasks_once(system, sonu):
    mina = await system.new_user("mina")
    own = await create(system, sonu, title="own")
    both = await create(system, sonu, title="both", assignee_id=sonu.id)
    hers = await create(system, mina, title="hers", assignee_id=sonu.id)
    await create(system, mina, title="only hers")
    for order_by in ("", "due_date desc", "title desc", "priority desc", "updated_at desc"):
        assert sorted(await list_ids(system, sonu, order_by=order_by)) == sorted([own.id, both.id, hers.id])
    assert await list_ids(system, sonu, owner_id=sonu.id) == [both.id, own.id]
    assert await list_ids(system, sonu, assignee_id=sonu.id) == [hers.id, both.id]
    for owner_id in (mina.id, "-"):
        call = system.tasks.ListTasks(task_service_pb2.ListTasksRequest(owner_id=owner_id), metadata=sonu.metadata)
        assert (await expect_failure(call))[:2] == (grpc.StatusCode.PERMISSION_DENIED, "OWNER_NOT_YOURS")


async def test_admin_lists_tasks_of_one_or_all_owners(system, sonu):
    admin, mina = await system.new_admin(), await system.new_user("mina")
    first, second = await create(system, sonu, title="a"), await create(system, mina, title="b")
    assert await list_ids(system, admin) == []
    assert await list_ids(system, admin, owner_id=sonu.id) == [first.id]
    assert await list_ids(system, admin, owner_id="-") == [second.id, first.id]
    assert await list_ids(system, admin, owner_id="-", order_by="title") == [first.id, second.id]


async def test_total_size_is_set_only_on_request(system, sonu, three_tasks):
    mina = await system.new_user("mina")
    await create(system, mina, title="hers", assignee_id=sonu.id)
    request = task_service_pb2.ListTasksRequest
    for fields, total in (({}, 4), ({"labels_any": ["food"]}, 2), ({"q": "nothing"}, 0)):
        response = await system.tasks.ListTasks(
            request(page_size=1, include_total=True, **fields), metadata=sonu.metadata
        )
        assert response.total_size == total
        assert response.HasField("total_size")
    assert not (await system.tasks.ListTasks(request(), metadata=sonu.metadata)).HasField("total_size")


async def test_all_invalid_parameters_are_reported_together(system, sonu):
    request = task_service_pb2.ListTasksRequest(
        order_by="colour",
        status=[99],  # type: ignore[list-item]
        priority=[99],  # type: ignore[list-item]
        labels_any=["a" * 65],
        labels_all=[""],
        labels_none=["a,b"],
        ids=[str(UUID(int=1)), "x", "y"],
        external_id="a" * 201,
        assignee_id="x",
        import_id="x",
        due_before="soon",
        due_after="2026-02-30",
        q="a" * 10_000,
    )
    code, _, violations = await expect_failure(system.tasks.ListTasks(request, metadata=sonu.metadata))
    assert code is INVALID
    assert dict(violations) == {
        "status": "UNKNOWN_STATUS",
        "priority": "UNKNOWN_PRIORITY",
        "labels_any": "LABEL_TOO_LONG",
        "labels_all": "BLANK_LABEL",
        "labels_none": "COMMA_IN_LABEL",
        "ids": "MALFORMED_ID",
        "external_id": "TOO_LONG",
        "assignee_id": "MALFORMED_ID",
        "import_id": "MALFORMED_ID",
        "due_before": "MALFORMED_DATE",
        "due_after": "MALFORMED_DATE",
        "q": "QUERY_TOO_LONG",
        "order_by": "UNKNOWN_ORDER",
    }


@pytest.mark.parametrize("order_by", ["title; DROP TABLE", "title desc desc", "id", "due_date,title", "TITLE"])
async def test_unknown_order_is_rejected(system, sonu, order_by):
    call = system.tasks.ListTasks(task_service_pb2.ListTasksRequest(order_by=order_by), metadata=sonu.metadata)
    assert (await expect_failure(call)).reason == "UNKNOWN_ORDER"


async def test_search_text_with_nul_is_rejected(system, sonu):
    call = system.tasks.ListTasks(task_service_pb2.ListTasksRequest(q="a\0"), metadata=sonu.metadata)
    assert await expect_failure(call) == (INVALID, "FORBIDDEN_CHARACTER", [("q", "FORBIDDEN_CHARACTER")])


@pytest.mark.parametrize("rest", [b"x", b"0123456789abcdef\xff", b"0123456789abcdefsoon", b"0123456789abcdef\x00"])
async def test_forged_page_token_is_rejected(system, sonu, three_tasks, rest):
    """A client can compute the digest, and still gets INVALID_PAGE_TOKEN."""
    request = task_service_pb2.ListTasksRequest(page_size=1, order_by="due_date")
    token = (await system.tasks.ListTasks(request, metadata=sonu.metadata)).next_page_token
    digest = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))[:8]
    assert len(digest) == hashlib.sha256().digest_size // 4
    forged = base64.urlsafe_b64encode(digest + rest).decode().rstrip("=")
    again = task_service_pb2.ListTasksRequest(page_size=1, order_by="due_date", page_token=forged)
    assert (await expect_failure(system.tasks.ListTasks(again, metadata=sonu.metadata))).reason == "INVALID_PAGE_TOKEN"
