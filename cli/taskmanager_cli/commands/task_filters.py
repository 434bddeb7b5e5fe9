"""Filters of lists and exports of tasks, and users by name."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from taskmanager_cli.client import Client
from taskmanager_cli.commands.options import UUID_PATTERN, check_day, check_ids
from taskmanager_cli.errors import CliError


class UserNotFound(CliError):
    """No user has the name {name}. Use a username, a user's id or me; an email does not work here."""


class Status(StrEnum):
    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


class Priority(StrEnum):
    NONE = "none"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    URGENT = "urgent"


Statuses = Annotated[list[Status] | None, typer.Option("--status", "-s", help="With this status. May be repeated.")]
Priorities = Annotated[
    list[Priority] | None, typer.Option("--priority", "-p", help="With this priority. May be repeated.")
]
Labels = Annotated[list[str] | None, typer.Option("--label", "-l", help="With this label. Several: with all of them.")]
AnyLabels = Annotated[
    list[str] | None, typer.Option("--any-label", help="With this label. Several: with at least one of them.")
]
Search = Annotated[str, typer.Option("--search", "-q", help="Words that title or description have.")]
Assignee = Annotated[str, typer.Option("--assignee", help="Assigned to this user: a username, an id or me.")]
Owner = Annotated[str, typer.Option("--owner", help="Owned by this user: a username, an id or me; - is everybody.")]
DueBefore = Annotated[str, typer.Option("--due-before", callback=check_day, help="Due before this day, YYYY-MM-DD.")]
DueAfter = Annotated[str, typer.Option("--due-after", callback=check_day, help="Due after this day, YYYY-MM-DD.")]
Overdue = Annotated[bool, typer.Option("--overdue", help="Open and due before today.")]
FromImport = Annotated[
    str,
    typer.Option(
        "--import",
        metavar="ID",
        callback=lambda value: value and check_ids(value),
        help="Created by the import with this id.",
    ),
]
Deleted = Annotated[bool, typer.Option("--deleted", help="Deleted tasks only.")]
OrderBy = Annotated[
    str,
    typer.Option("--order-by", help='created_at, updated_at, due_date, priority or title; with " desc" from the end.'),
]


def resolve_user(client: Client, name: str) -> str:
    """Return the id of a user: the caller for "me", an id as it is, else the user with this username."""
    if name in {"", "-"} or UUID_PATTERN.fullmatch(name):
        return name
    if name == "me":
        return str(client.get("/api/v1/me")["id"])
    for user in client.get("/api/v1/users:lookup", {"q": name})["users"]:
        if user["username"].casefold() == name.casefold():
            return str(user["id"])
    raise UserNotFound(name=name)


def filter_params(
    client: Client,
    *,
    statuses: list[Status] | None,
    priorities: list[Priority] | None,
    labels: list[str] | None,
    any_labels: list[str] | None,
    assignee: str,
    owner: str,
    overdue: bool,
    deleted: bool,
    **texts: str,
) -> dict[str, Any]:
    """Return the query parameters of a list. `texts` are sent under their names if they are not empty."""
    params: dict[str, Any] = {
        "status": [status.value for status in statuses or ()],
        "priority": [priority.value for priority in priorities or ()],
        "labels_all": labels or [],
        "labels_any": any_labels or [],
        "assignee_id": resolve_user(client, assignee),
        "owner_id": resolve_user(client, owner),
        "overdue": "true" if overdue else "",
        "only_deleted": "true" if deleted else "",
        **texts,
    }
    return {name: value for name, value in params.items() if value}
