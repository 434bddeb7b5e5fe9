"""Export of a list as a CSV file: its tasks, whole or with an error, in constant memory."""

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
from tests.integration.task_service.calls import create, delete
from tests.integration.task_service.import_calls import Worker, batch, upload
from tests.support.grpc_calls import expect_failure

Status, Priority = task_pb2.Task.Status, task_pb2.Task.Priority


def export(system, person, **fields):
    return system.tasks.ExportTasks(task_service_pb2.ExportTasksRequest(**fields), metadata=person.metadata)


async def export_text(system, person, **fields) -> str:
    return b"".join([message.data async for message in export(system, person, **fields)]).decode()


async def export_rows(system, person, **fields) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(await export_text(system, person, **fields), newline="")))


async def export_titles(system, person, **fields) -> list[str]:
    return [row["title"] for row in await export_rows(system, person, **fields)]


async def fill(database, owner_id: str, count: int, *, description: str = "") -> None:
    """Insert tasks that differ only in id and title."""
    await database.execute(f"""
        INSERT INTO tasks.tasks (id, owner_id, title, description, status, priority, labels, external_id,
            created_at, updated_at, revision)
        SELECT uuidv7(make_interval(secs => -n)), '{owner_id}', 'Task ' || n, '{description}', 'pending', 'none',
            '{{}}', '', now(), now(), 1
        FROM generate_series(1, {count}) n
    """)


async def test_exported_row_has_the_columns_of_an_import(system):
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
    assert await export_text(system, sonu) == (
        "title,description,status,priority,due_date,labels,external_id,assignee\r\n"
        'Buy milk,"2 litres,\nthe fresh kind",in_progress,high,2026-12-24,"home,shop",A-1,mina\r\n'
    )


async def test_empty_export_is_a_header_line(system):
    assert await export_text(system, await system.new_user("sonu")) == ",".join(COLUMNS) + "\r\n"


async def test_labels_in_brackets_do_not_look_like_a_list(system):
    """An import reads `[a,b]` as the labels a and b, but not `,[a,b]`."""
    sonu = await system.new_user("sonu")
    await create(system, sonu, title="x", labels=["[a", "b]"])
    (row,) = await export_rows(system, sonu)
    assert row["labels"] == ",[a,b]"


async def test_formulas_are_escaped_in_every_column(system):
    attacker = await system.new_user("=cmd")
    await create(
        system, attacker, title="=1+1", description="@x", labels=["-1"], external_id="+1", assignee_id=attacker.id
    )
    (row,) = await export_rows(system, attacker)
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
        assert await export_titles(system, sonu, **fields) == listed, fields


async def test_export_has_the_permissions_of_the_list(system, database):
    sonu, mina = await system.new_user("sonu"), await system.new_user("mina")
    await create(system, sonu, title="Sonu's")
    await create(system, mina, title="Mina's")
    deleted = await create(system, mina, title="Gone")
    await delete(system, mina, deleted.id)
    assert await export_titles(system, mina) == ["Mina's"]
    assert await export_titles(system, mina, show_deleted=True) == ["Gone", "Mina's"]
    for owner in (sonu.id, "-"):
        assert (await expect_failure(export_text(system, mina, owner_id=owner)))[:2] == (
            grpc.StatusCode.PERMISSION_DENIED,
            "OWNER_NOT_YOURS",
        )
    await database.execute("UPDATE auth.users SET role = 'manager' WHERE username = 'mina'")
    manager, service = await system.login("mina@example.com"), await system.new_service("tasks:read")
    for person in (manager, await system.new_admin(), service):
        assert await export_titles(system, person, owner_id=sonu.id) == ["Sonu's"]
        assert await export_titles(system, person, owner_id="-") == ["Mina's", "Sonu's"]
    failure = await expect_failure(export_text(system, await system.new_service("tasks:write")))
    assert failure.code is grpc.StatusCode.PERMISSION_DENIED


@pytest.mark.parametrize("fields", [{"order_by": "size"}, {"due_before": "soon"}, {"status": [9]}, {"q": "a" * 201}])
async def test_invalid_query_is_rejected_before_the_first_byte(system, fields):
    call = export(system, await system.new_user("sonu"), **fields)
    assert (await expect_failure(call.read())).code is grpc.StatusCode.INVALID_ARGUMENT


async def test_export_names_disabled_but_not_deleted_assignees(system, database):
    sonu, mina, dora = [await system.new_user(name) for name in ("sonu", "mina", "dora")]
    for title, assignee in (("a", mina), ("b", dora)):
        await create(system, sonu, title=title, assignee_id=assignee.id)
    await database.execute("UPDATE auth.users SET disabled = true WHERE username = 'mina'")
    async with grpc.aio.insecure_channel(system.auth_target) as channel:
        users = user_service_pb2_grpc.UserServiceStub(channel)
        await users.DeleteCurrentUser(user_service_pb2.DeleteCurrentUserRequest(), metadata=dora.metadata)
    assert {row["title"]: row["assignee"] for row in await export_rows(system, sonu)} == {"a": "mina", "b": ""}


async def test_long_rows_are_split_into_small_messages(system, database):
    sonu = await system.new_user("sonu")
    await fill(database, sonu.id, 500, description="ж" * 20_000)
    messages = [message.data async for message in export(system, sonu)]
    assert max(map(len, messages)) <= 256 * 1024
    assert sum(map(len, messages)) > 500 * 40_000


async def test_long_rejected_rows_can_be_downloaded(system):
    """Rejected rows are stored unchanged, many to a page."""
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
    messages = [message.data async for message in system.imports.DownloadImportErrors(request, metadata=sonu.metadata)]
    assert sum(map(len, messages)) > 9_000_000
    assert max(map(len, messages)) <= 256 * 1024


async def read_to_end(call) -> None:
    while await call.read() is not grpc.aio.EOF:
        pass


WAITING_QUERIES = """
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
        reading = asyncio.create_task(read_to_end(call))
        async with asyncio.timeout(30):
            while await database.execute(WAITING_QUERIES) != [(1,)]:
                pass
        call.cancel()
        async with asyncio.timeout(3):  # after five seconds the role's lock_timeout ends the query by itself
            while await database.execute(WAITING_QUERIES) != [(0,)]:
                pass
        await asyncio.gather(reading, return_exceptions=True)


async def test_interrupted_export_ends_with_an_error(system, database):
    sonu = await system.new_user("sonu")
    await fill(database, sonu.id, 3000, description="x" * 20_000)
    call = export(system, sonu)
    assert (await call.read()).data
    await database.execute("ALTER TABLE tasks.tasks RENAME TO renamed_tasks")
    with pytest.raises(grpc.aio.AioRpcError):
        await read_to_end(call)


async def test_export_has_the_requested_format(system):
    sonu = await system.new_user("sonu")
    await create(system, sonu, title="Käse; 5 €, frisch")
    rows = [list(COLUMNS), ["Käse; 5 €, frisch", "", "pending", "none", "", "", "", ""]]
    for delimiter, character in (("", ","), (",", ","), (";", ";"), ("tab", "\t"), ("|", "|")):
        for bom in (True, False):
            text = await export_text(system, sonu, bom=bom, delimiter=delimiter)
            assert text.startswith("\ufeff") is bom
            assert list(csv.reader(io.StringIO(text.removeprefix("\ufeff")), delimiter=character)) == rows


async def test_unknown_delimiter_of_an_export_is_refused(system):
    sonu = await system.new_user("sonu")
    failure = await expect_failure(export(system, sonu, delimiter="x").read())
    assert failure == (grpc.StatusCode.INVALID_ARGUMENT, "UNKNOWN_DELIMITER", [("delimiter", "UNKNOWN_DELIMITER")])
