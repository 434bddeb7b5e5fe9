"""Forged page tokens never reach Postgres, which would log their text as an error.

The fingerprint in a token is no secret, so a forged token can have the right one and any key.
"""

import base64
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc
import psycopg
import pytest
import pytest_asyncio
from taskmanager.auth.v1 import (
    security_event_service_pb2,
    security_event_service_pb2_grpc,
    service_account_service_pb2,
    service_account_service_pb2_grpc,
    user_service_pb2,
    user_service_pb2_grpc,
)
from taskmanager.imports.v1 import import_service_pb2
from taskmanager.tasks.v1 import history_service_pb2, task_service_pb2

from chassis.kernel.pagination import FINGERPRINT_BYTES
from chassis.rpc.errors import read_status
from tests.integration.task_service.calls import create, update
from tests.integration.task_service.import_calls import upload
from tests.support.system import Principal, System

ID = bytes(range(16))
TEXTS = (
    *("soon", "infinity", "-infinity", "now", "2026-W01-1", "20260101", "2026-01-01", "2026-02-30", "0001-01-01"),
    *("2026-01-01 00:00:00", "2026-01-01T00:00:00+23:59", "0001-01-01 00:00:00+14", "9999-12-31 23:59:59-12", "24:00"),
    *("1", "0", "6", "-1", "99999999999999999999", "1.5", "NaN", "٣", " 1", "'", "\0", "a\0b", "\ufffe", "x" * 10_000),
    *(
        "2026-01-01 00:00:00.123456789+00",
        "294277-01-01 00:00:00+00",
        "2026-01-01 BC",
        "epoch",
        "\N{LATIN SMALL LETTER SHARP S}",
    ),
)
KEYS = [
    *(b"x", ID[:-1], ID, ID + b"\xff", b"\xff" * 8, b"\xff" * 10, b"\xff" * 24, b"\0" * 10, b"\0" * 24),
    *(struct.pack(">QH", number, 2**16 - 1) for number in (2**63 - 1, 2**63, 2**64 - 1)),
    *(struct.pack(">Q16s", number, ID) for number in (2**63 - 1, 2**63, 2**64 - 1)),
    *(ID + text.encode() for text in TEXTS),
]


@dataclass(frozen=True)
class Lists:
    """The list methods of both services, their requests, and a caller that may call all of them."""

    admin: Principal
    calls: dict[str, tuple[Callable[..., Any], Any]]


@pytest_asyncio.fixture
async def lists(system: System, database):
    """Every list, each with at least two items."""
    admin = await system.new_admin()
    await system.new_user("sonu")
    task = await create(system, admin, title="a", due_date="2026-01-01")
    await create(system, admin, title="b")
    await update(system, admin, task.id, title="c")
    first = await upload(system, admin)
    await upload(system, admin)
    await system.new_service("tasks:read")
    email = database.rows("SELECT email FROM auth.users WHERE id = %s", admin.id)[0][0]
    await system.login(email)
    for record in (1, 2):
        database.rows(
            "INSERT INTO tasks.import_errors VALUES (%s, %s, 0, 1, '', '', 'CODE', 'message')", first.id, record
        )
        database.rows("INSERT INTO tasks.import_undo_conflicts VALUES (%s, uuidv7(), 'changed')", first.id)
    async with grpc.aio.insecure_channel(system.auth_target) as channel:
        users = user_service_pb2_grpc.UserServiceStub(channel)
        accounts = service_account_service_pb2_grpc.ServiceAccountServiceStub(channel)
        events = security_event_service_pb2_grpc.SecurityEventServiceStub(channel)
        calls: dict[str, tuple[Callable[..., Any], Any]] = {
            f"tasks by {order}": (system.tasks.ListTasks, task_service_pb2.ListTasksRequest(order_by=order))
            for order in ("created_at", "updated_at", "due_date", "priority", "title")
        }
        calls |= {
            "all tasks": (system.tasks.ListTasks, task_service_pb2.ListTasksRequest(owner_id="-")),
            "task events": (system.history.ListTaskEvents, history_service_pb2.ListTaskEventsRequest(task_id=task.id)),
            "events": (system.history.ListEvents, history_service_pb2.ListEventsRequest()),
            "imports": (system.imports.ListImports, import_service_pb2.ListImportsRequest()),
            "errors": (system.imports.ListImportErrors, import_service_pb2.ListImportErrorsRequest(import_id=first.id)),
            "conflicts": (
                system.imports.ListUndoConflicts,
                import_service_pb2.ListUndoConflictsRequest(import_id=first.id),
            ),
            "users": (users.ListUsers, user_service_pb2.ListUsersRequest()),
            "sessions": (users.ListSessions, user_service_pb2.ListSessionsRequest()),
            "accounts": (accounts.ListServiceAccounts, service_account_service_pb2.ListServiceAccountsRequest()),
            "security events": (
                events.ListSecurityEvents,
                security_event_service_pb2.ListSecurityEventsRequest(),
            ),
        }
        yield Lists(admin, calls)


@pytest.fixture
def database_errors(monkeypatch):
    """The errors of all statements."""
    errors: list[psycopg.Error] = []
    execute = psycopg.AsyncConnection.execute

    async def recorded(*arguments, **keywords):
        try:
            return await execute(*arguments, **keywords)
        except psycopg.Error as error:
            errors.append(error)
            raise

    monkeypatch.setattr(psycopg.AsyncConnection, "execute", recorded)
    return errors


async def test_forged_page_tokens_do_not_reach_postgres(lists, database_errors):
    """Each list either refuses the token or finds the key valid."""
    for name, (call, request) in lists.calls.items():
        request.page_size = 1
        token = (await call(request, metadata=lists.admin.metadata)).next_page_token
        assert token, name
        fingerprint = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))[:FINGERPRINT_BYTES]
        for key in KEYS:
            request.page_token = base64.urlsafe_b64encode(fingerprint + key).decode().rstrip("=")
            reason = ""
            try:
                await call(request, metadata=lists.admin.metadata)
            except grpc.aio.AioRpcError as error:
                reason = read_status(error).reason
            assert (reason, database_errors) in [("", []), ("INVALID_PAGE_TOKEN", [])], (name, key)
        request.page_token = token
        await call(request, metadata=lists.admin.metadata)
