"""A session of the generated Python client against the gateway whose URL is the argument.

It runs in an environment of its own, where `taskmanager_client` is the generated package.
"""

import datetime as dt
import secrets
import sys
from io import BytesIO
from typing import TypeVar

from taskmanager_client import AuthenticatedClient, Client
from taskmanager_client.api.auth import login, register
from taskmanager_client.api.import_ import get_import, upload_import
from taskmanager_client.api.task import create_task, list_tasks, update_task
from taskmanager_client.models import (
    ErrorCode,
    ErrorResponse,
    Import,
    ListTasksResponse,
    LoginRequest,
    LoginResponse,
    RegisterRequest,
    Task,
    TaskCreate,
    TaskPriority,
    TaskStatus,
    TaskUpdate,
    UploadForm,
    User,
)
from taskmanager_client.types import File, Response

Model = TypeVar("Model")


def expect(model: type[Model], found: object) -> Model:
    assert isinstance(found, model), found
    return found


def logged_in(url: str) -> tuple[AuthenticatedClient, User]:
    client = Client(base_url=url)
    name = f"user-{secrets.token_hex(4)}"
    account = RegisterRequest(username=name, email=f"{name}@example.com", password="three brown foxes")
    user = expect(User, register.sync(client=client, body=account))
    tokens = login.sync(client=client, body=LoginRequest(email=account.email, password=account.password))
    session = expect(LoginResponse, tokens)
    assert session.user == user
    return AuthenticatedClient(base_url=url, token=session.access_token), user


def create_and_change(client: AuthenticatedClient, user: User) -> None:
    due = dt.date(2030, 1, 31)
    draft = TaskCreate(title="Write the report", priority=TaskPriority.HIGH, due_date=due, assignee_id=user.id)
    created = create_task.sync_detailed(client=client, body=draft, idempotency_key=secrets.token_hex(8))
    task = expect(Task, created.parsed)
    assert (task.status, task.owner_id, task.completed_at) == (TaskStatus.PENDING, user.id, None)
    assert created.headers["location"] == f"/api/v1/tasks/{task.id}"
    change = TaskUpdate(status=TaskStatus.COMPLETED, due_date=None)
    changed = update_task.sync(task.id, client=client, body=change, if_match=created.headers["etag"])
    completed = expect(Task, changed)
    assert (completed.status, completed.due_date, completed.priority) == (TaskStatus.COMPLETED, "", TaskPriority.HIGH)
    assert isinstance(completed.completed_at, dt.datetime)
    outdated = update_task.sync_detailed(task.id, client=client, body=change, if_match=created.headers["etag"])
    assert_error(outdated, 412, ErrorCode.ABORTED, "ETAG_MISMATCH", "etag")


def list_two_pages(client: AuthenticatedClient) -> None:
    for number in range(2):
        expect(Task, create_task.sync(client=client, body=TaskCreate(title=f"Task {number}")))
    first = expect(ListTasksResponse, list_tasks.sync(client=client, page_size=2))
    second = list_tasks.sync(client=client, page_size=2, page_token=first.next_page_token, include_total=True)
    last = expect(ListTasksResponse, second)
    titles = [task.title for task in (*first.tasks, *last.tasks)]
    assert (titles, last.next_page_token) == (["Task 1", "Task 0", "Write the report"], "")
    pending = expect(ListTasksResponse, list_tasks.sync(client=client, status=[TaskStatus.PENDING], include_total=True))
    assert pending.total_size == 2


def upload(client: AuthenticatedClient) -> None:
    file = File(payload=BytesIO(b"title,status\nBuy milk,pending\n"), file_name="tasks.csv", mime_type="text/csv")
    queued = expect(Import, upload_import.sync(client=client, body=UploadForm(file=file)))
    found = expect(Import, get_import.sync(queued.id, client=client))
    assert (found.file_name, found.failure, found.undo) == ("tasks.csv", None, None)


def assert_error(response: Response[Model], status: int, code: ErrorCode, reason: str, field: str | None) -> None:
    assert response.status_code == status
    error = expect(ErrorResponse, response.parsed).error
    assert (error.code, error.status) == (status, code)
    assert error.request_id == response.headers["x-request-id"]
    assert [(detail.reason, detail.field) for detail in error.details] == [(reason, field)]


def read_errors(client: AuthenticatedClient) -> None:
    blank = create_task.sync_detailed(client=client, body=TaskCreate(title=" "))
    assert_error(blank, 400, ErrorCode.INVALID_ARGUMENT, "BLANK_TITLE", "title")


def main(url: str) -> None:
    client, user = logged_in(url)
    create_and_change(client, user)
    list_two_pages(client)
    upload(client)
    read_errors(client)
    sys.stdout.write("session of the Python client: ok\n")


if __name__ == "__main__":
    main(sys.argv[1])
