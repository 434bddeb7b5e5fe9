"""Assignees of a file that are named by email, and the limit on unknown emails."""

from typing import Any

import grpc
import psycopg
import pytest
from taskmanager.imports.v1 import import_pb2, import_service_pb2
from taskmanager.tasks.v1 import task_service_pb2

from tests.integration.task_service.import_calls import END, RELEASE_LEASE, batch, get, upload
from tests.support.grpc_calls import refused

LEAVE_EMPTY = import_service_pb2.UploadOptions.ON_UNKNOWN_ASSIGNEE_LEAVE_EMPTY
HEADER = b"title,assignee\n"
LIMIT = 500


def unknown_rows(begin: int, end: int) -> list[list[str]]:
    return [["task", f"nobody{number}@example.com"] for number in range(begin, end)]


async def tasks_of(system, user, import_id: str) -> dict[str, str]:
    """Return the ids of the assignees by title."""
    request = task_service_pb2.ListTasksRequest(import_id=import_id, page_size=200)
    tasks = (await system.tasks.ListTasks(request, metadata=user.metadata)).tasks
    return {task.title: task.assignee_id for task in tasks}


async def errors_of(system, user, import_id: str) -> list[import_pb2.ImportError]:
    request = import_service_pb2.ListImportErrorsRequest(import_id=import_id, page_size=200)
    return list((await system.imports.ListImportErrors(request, metadata=user.metadata)).errors)


async def run_batches(system, worker, user, *batches: list[list[str]], header: bytes = HEADER, **options: Any):
    """Import the batches, each under its own lease, and return the import."""
    queued = await upload(system, user, header + b"x\n" * 1000, **options)
    for rows in batches:
        lease = await worker.claim()
        end = END if rows is batches[-1] else RELEASE_LEASE
        _, progress, *_ = await worker.stream(lease, batch(lease.checkpoint, *rows, size=9), end)
        if progress.finished:
            break
    return await get(system, user, queued.id)


async def test_assignee_is_found_by_email_and_username(system, worker):
    """Letter case and spelling do not matter, as at login."""
    sonu, mina = await system.new_user("sonu"), await system.new_user("mina")
    cells = ["mina", "mina@example.com", " MINA@Example.com ", "mina\uff20example.com", "sonu@example.com", ""]
    done = await run_batches(system, worker, sonu, [[str(number), cell] for number, cell in enumerate(cells)])
    assert (done.rows_created, done.rows_failed) == (6, 0)
    expected = [mina.id] * 4 + [sonu.id, ""]
    assert await tasks_of(system, sonu, done.id) == {str(number): found for number, found in enumerate(expected)}


async def test_error_of_an_unknown_email_shows_only_the_cell(system, worker, database):
    """Emails of disabled accounts, and the username of somebody with another email, are as unknown as any other."""
    sonu, _ = await system.new_user("sonu"), await system.new_user("mina")
    with psycopg.connect(database.administrator_url) as connection:
        connection.execute("UPDATE auth.users SET disabled = true WHERE username = 'mina'")
    cells = ["mina@example.com", "nobody@example.com", "mina"]
    done = await run_batches(system, worker, sonu, [["task", cell] for cell in cells])
    advice = "Use the username or email of a user, or set on_unknown_assignee=leave_empty."
    assert [
        (error.column, error.value, error.code, error.message) for error in await errors_of(system, sonu, done.id)
    ] == [("assignee", cell, "UNKNOWN_ASSIGNEE", f"Unknown assignee {cell!r}. {advice}") for cell in cells]


async def test_default_assignee_may_be_an_email(system, worker):
    sonu, mina = await system.new_user("sonu"), await system.new_user("mina")
    done = await run_batches(system, worker, sonu, [["a", ""]], default_assignee="Mina@example.com")
    assert await tasks_of(system, sonu, done.id) == {"a": mina.id}
    status = await refused(upload(system, sonu, default_assignee="nobody@example.com"))
    assert (status.code, status.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "UNKNOWN_ASSIGNEE")
    assert status.message == "No such user. Assign the task to an existing user."


@pytest.mark.parametrize(
    "options",
    [{}, {"validate_only": True}, {"on_unknown_assignee": LEAVE_EMPTY}],
    ids=["fail", "dry run", "leave empty"],
)
async def test_import_fails_above_the_limit_of_unknown_emails(system, worker, options):
    """The limit holds across batches and leases. Repeated emails count once, and rows of the last batch stay."""
    sonu = await system.new_user("sonu")
    repeated = unknown_rows(0, 300)
    last = [*unknown_rows(LIMIT, LIMIT + 1), ["known", "sonu@example.com"]]
    batches = (repeated, repeated, unknown_rows(200, LIMIT), repeated, last, [["never", ""]])
    failed = await run_batches(system, worker, sonu, *batches, **options)
    assert (failed.state, failed.failure.code) == (import_pb2.Import.STATE_FAILED, "TOO_MANY_UNKNOWN_EMAILS")
    assert failed.failure.message == (
        "More than 500 different emails of assignees belong to no user. Correct them, or ignore their column with the "
        'option mapping, for example {"Assignee Email": null}.'
    )
    assert failed.rows_read == 4 * 300 + 2
    assert failed.rows_created == (1202 if "on_unknown_assignee" in options else 1)
    assert await worker.claim() is None


async def test_import_may_have_as_many_unknown_emails_as_the_limit(system, worker):
    """Unknown usernames do not count."""
    sonu = await system.new_user("sonu")
    usernames = [["task", f"nobody{number}"] for number in range(600)]
    done = await run_batches(system, worker, sonu, unknown_rows(0, LIMIT), unknown_rows(0, LIMIT), usernames)
    assert (done.state, done.rows_failed) == (import_pb2.Import.STATE_SUCCEEDED, 2 * LIMIT + 600)


async def test_unknown_emails_of_rejected_rows_count(system, worker):
    sonu = await system.new_user("sonu")
    rows = [["", email] for _, email in unknown_rows(0, LIMIT + 1)]
    failed = await run_batches(system, worker, sonu, rows)
    assert (failed.failure.code, failed.rows_failed) == ("TOO_MANY_UNKNOWN_EMAILS", LIMIT + 1)


async def test_ignored_column_has_no_unknown_emails(system, worker):
    """The failure message gives this advice."""
    sonu = await system.new_user("sonu")
    options: dict[str, Any] = {"header": b"Name,Assignee Email\n", "mapping": '{"Assignee Email": null}'}
    done = await run_batches(system, worker, sonu, unknown_rows(0, LIMIT + 1), **options)
    assert (done.state, done.rows_created) == (import_pb2.Import.STATE_SUCCEEDED, LIMIT + 1)


async def test_unknown_emails_are_stored_as_digests_of_one_import(system, worker, database):
    """The digests of two imports do not show that they name the same email."""
    sonu = await system.new_user("sonu")
    for _ in range(2):
        await run_batches(system, worker, sonu, [*unknown_rows(0, 1), ["task", "sonu@example.com"]])
    rows = await database.execute("SELECT unknown_email_digests FROM tasks.imports")
    assert [[len(digest) for digest in digests] for (digests,) in rows] == [[16], [16]]
    assert rows[0] != rows[1]


async def test_refused_batch_adds_no_unknown_emails(system, worker, database):
    """The digests are committed with the batch."""
    sonu = await system.new_user("sonu")
    await upload(system, sonu, HEADER + b"x\n" * 9)
    lease = await worker.claim()
    misplaced = batch(lease.checkpoint, *unknown_rows(0, 1), size=9)
    misplaced.batch.begin.records += 1
    misplaced.batch.end.records += 1
    assert (await refused(worker.stream(lease, misplaced))).reason == "BATCH_NOT_AT_CHECKPOINT"
    assert await database.execute("SELECT unknown_email_digests FROM tasks.imports") == [([],)]
