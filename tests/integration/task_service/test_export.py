"""The CSV file of a list: what the list says, whole or not at all, in memory that does not grow with it."""

import asyncio
import csv
import io
from datetime import UTC, datetime

import grpc
import psycopg
import pytest
from taskmanager.auth.v1 import user_service_pb2, user_service_pb2_grpc
from taskmanager.imports.v1 import import_service_pb2
from taskmanager.tasks.v1 import task_pb2, task_service_pb2

from task_service.tasks.domain.csv_export import COLUMNS
from tests.integration.task_service.calls import create, delete, refused
from tests.integration.task_service.import_calls import Worker, batch, upload

Status, Priority = task_pb2.Task.Status, task_pb2.Task.Priority


def export(system, person, **fields):
    return system.tasks.ExportTasks(task_service_pb2.ExportTasksRequest(**fields), metadata=person.metadata)


async def text_of(system, person, **fields) -> str:
    return b"".join([piece.data async for piece in export(system, person, **fields)]).decode()


async def rows_of(system, person, **fields) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(await text_of(system, person, **fields), newline="")))


async def titles_of(system, person, **fields) -> list[str]:
    return [row["title"] for row in await rows_of(system, person, **fields)]


async def fill(database, owner_id: str, count: int, *, description: str = "") -> None:
    """Makes tasks, all in the same moment but for their ids."""
    await database.execute(f"""
        INSERT INTO tasks.tasks (id, owner_id, title, description, status, priority, labels, external_id,
            created_at, updated_at, revision)
        SELECT uuidv7(make_interval(secs => -n)), '{owner_id}', 'Task ' || n, '{description}', 'pending', 'none',
            '{{}}', '', now(), now(), 1
        FROM generate_series(1, {count}) n
    """)


async def test_a_task_is_a_row_under_the_columns_that_an_import_reads(system):
    sonu, mina = await system.new_user("sonu"), await system.new_user("mina")
    await create(
        system,
        sonu,
        title="Buy milk",
        description="2 litres,\nthe fresh kind",
        status=Status.STATUS_IN_PROGRESS,
        priority=Priority.PRIORITY_HIGH,
        due_date="2026-12-24",
        labels=["home", "shop"],
        external_id="A-1",
        assignee_id=mina.id,
    )
    assert await text_of(system, sonu) == (
        "title,description,status,priority,due_date,labels,external_id,assignee\r\n"
        'Buy milk,"2 litres,\nthe fresh kind",in_progress,high,2026-12-24,"home,shop",A-1,mina\r\n'
    )


async def test_nobodys_tasks_are_a_header_line(system):
    assert await text_of(system, await system.new_user("sonu")) == ",".join(COLUMNS) + "\r\n"


async def test_formulas_are_neutralised_in_every_column(system):
    evil = await system.new_user("=cmd")
    await create(system, evil, title="=1+1", description="@x", labels=["-1"], external_id="+1", assignee_id=evil.id)
    (row,) = await rows_of(system, evil)
    assert {cell for cell in row.values() if cell[:1] == "'"} == {"'=1+1", "'@x", "'-1", "'+1", "'=cmd"}


async def test_export_has_the_tasks_and_order_of_the_list(system, database):
    sonu = await system.new_user("sonu")
    await fill(database, sonu.id, 1101)
    await database.execute("""
        UPDATE tasks.tasks SET priority = (ARRAY['none', 'low', 'medium', 'high', 'urgent'])[1 + revision % 5],
            due_date = CASE WHEN substring(title FROM 6)::int % 3 = 0 THEN date '2026-01-01' END,
            status = CASE WHEN substring(title FROM 6)::int % 2 = 0 THEN 'completed' ELSE 'pending' END,
            updated_at = created_at + make_interval(secs => substring(title FROM 6)::int % 7)
    """)
    moment = datetime(2020, 1, 1, tzinfo=UTC)
    for fields in (
        {},
        {"order_by": "due_date"},
        {"order_by": "updated_at desc", "status": [Status.STATUS_COMPLETED]},
        {"order_by": "title"},
        {"order_by": "priority desc", "q": "task 1"},
        {"overdue": True},
        {"created_after": moment},
        {"only_deleted": True},
        {"owner_id": sonu.id},
    ):
        listed, token = [], ""
        while True:
            request = task_service_pb2.ListTasksRequest(page_size=200, page_token=token, **fields)
            page = await system.tasks.ListTasks(request, metadata=sonu.metadata)
            listed += [task.title for task in page.tasks]
            token = page.next_page_token
            if not token:
                break
        assert await titles_of(system, sonu, **fields) == listed, fields


async def test_whose_tasks_may_be_exported_is_what_a_list_says(system, database):
    sonu, mina = await system.new_user("sonu"), await system.new_user("mina")
    await create(system, sonu, title="Sonu's")
    await create(system, mina, title="Mina's")
    gone = await create(system, mina, title="Gone")
    await delete(system, mina, gone.id)
    assert await titles_of(system, mina) == ["Mina's"]
    assert await titles_of(system, mina, show_deleted=True) == ["Gone", "Mina's"]
    for owner in (sonu.id, "-"):
        assert (await refused(text_of(system, mina, owner_id=owner)))[:2] == (
            grpc.StatusCode.PERMISSION_DENIED,
            "OWNER_NOT_YOURS",
        )
    await database.execute("UPDATE auth.users SET role = 'manager' WHERE username = 'mina'")
    manager, service = await system.login("mina@example.com"), await system.new_service("tasks:read")
    for person in (manager, await system.new_admin(), service):
        assert await titles_of(system, person, owner_id=sonu.id) == ["Sonu's"]
        assert await titles_of(system, person, owner_id="-") == ["Mina's", "Sonu's"]
    assert (await refused(text_of(system, await system.new_service("tasks:write"))))[
        0
    ] is grpc.StatusCode.PERMISSION_DENIED


@pytest.mark.parametrize("fields", [{"order_by": "size"}, {"due_before": "soon"}, {"status": [9]}, {"q": "a" * 201}])
async def test_invalid_export_query_is_refused_before_the_first_byte(system, fields):
    call = export(system, await system.new_user("sonu"), **fields)
    assert (await refused(call.read()))[0] is grpc.StatusCode.INVALID_ARGUMENT


async def test_export_names_disabled_but_not_deleted_assignees(system, database):
    sonu, mina, dora = [await system.new_user(name) for name in ("sonu", "mina", "dora")]
    for title, somebody in (("a", mina), ("b", dora)):
        await create(system, sonu, title=title, assignee_id=somebody.id)
    await database.execute("UPDATE auth.users SET disabled = true WHERE username = 'mina'")
    async with grpc.aio.insecure_channel(system.auth_target) as channel:
        users = user_service_pb2_grpc.UserServiceStub(channel)
        await users.DeleteCurrentUser(user_service_pb2.DeleteCurrentUserRequest(), metadata=dora.metadata)
    assert {row["title"]: row["assignee"] for row in await rows_of(system, sonu)} == {"a": "mina", "b": ""}


async def test_long_rows_come_in_messages_that_everybody_takes(system, database):
    sonu = await system.new_user("sonu")
    await fill(database, sonu.id, 500, description="ж" * 20_000)
    pieces = [piece.data async for piece in export(system, sonu)]
    assert max(map(len, pieces)) <= 256 * 1024
    assert sum(map(len, pieces)) > 500 * 40_000


async def test_wrong_rows_that_are_long_can_be_downloaded_too(system):
    """They are kept as they came, many to a page."""
    sonu = await system.new_user("sonu")
    worker = Worker(system, await system.new_service("imports:ingest"))
    queued = await upload(system, sonu, b"title,description\n" + b",\n" * 30)
    lease = await worker.claim()
    assert lease is not None
    rows = [["", "x" * 300_000] for _ in range(10)]
    for number in range(3):
        begin = type(lease.checkpoint)(offset=lease.checkpoint.offset + 10 * number, line=2, records=10 * number)
        await worker.stream(lease, batch(begin, *rows, size=10))
    request = import_service_pb2.DownloadImportErrorsRequest(import_id=queued.id)
    pieces = [piece.data async for piece in system.imports.DownloadImportErrors(request, metadata=sonu.metadata)]
    assert sum(map(len, pieces)) > 9_000_000
    assert max(map(len, pieces)) <= 256 * 1024


async def the_rest_of(call) -> None:
    while await call.read() is not grpc.aio.EOF:
        pass


WAITING = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND usename = 'tasks_app' AND wait_event_type = 'Lock' AND query LIKE '%title%'
"""


async def test_client_disconnect_cancels_the_export_query(system, database):
    sonu = await system.new_user("sonu")
    await fill(database, sonu.id, 20_000, description="x" * 2_000)
    call = export(system, sonu)
    await call.read()
    async with await psycopg.AsyncConnection.connect(database.administrator_url) as maintenance:
        await maintenance.execute("LOCK TABLE tasks.tasks IN ACCESS EXCLUSIVE MODE")
        reading = asyncio.create_task(the_rest_of(call))
        async with asyncio.timeout(30):
            while await database.execute(WAITING) != [(1,)]:
                pass
        call.cancel()
        async with asyncio.timeout(3):  # after five seconds the role's lock_timeout ends the query by itself
            while await database.execute(WAITING) != [(0,)]:
                pass
        await asyncio.gather(reading, return_exceptions=True)


async def test_a_file_that_can_not_be_finished_ends_with_an_error(system, database):
    sonu = await system.new_user("sonu")
    await fill(database, sonu.id, 3000, description="x" * 20_000)
    call = export(system, sonu)
    assert (await call.read()).data
    await database.execute("ALTER TABLE tasks.tasks RENAME TO elsewhere")
    with pytest.raises(grpc.aio.AioRpcError):
        await the_rest_of(call)
