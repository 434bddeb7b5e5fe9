"""Filters of lists and exports of tasks, and users by name."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import wraps
from typing import Annotated, Any

import typer

from taskmanager_cli.client import Client
from taskmanager_cli.commands.options import UUID_PATTERN, check_day, check_ids
from taskmanager_cli.errors import UserNotFound


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


@dataclass(frozen=True, slots=True)
class TaskFilters:
    """Filters of a list of tasks. Each field is an option of the commands that use `with_filters`."""

    statuses: Annotated[
        list[Status] | None, typer.Option("--status", "-s", help="With this status. May be repeated.")
    ] = None
    priorities: Annotated[
        list[Priority] | None, typer.Option("--priority", "-p", help="With this priority. May be repeated.")
    ] = None
    labels: Annotated[
        list[str] | None, typer.Option("--label", "-l", help="With this label. Several: with all of them.")
    ] = None
    any_labels: Annotated[
        list[str] | None, typer.Option("--any-label", help="With this label. Several: with at least one of them.")
    ] = None
    search: Annotated[str, typer.Option("--search", "-q", help="Words that title or description have.")] = ""
    assignee: Annotated[str, typer.Option("--assignee", help="Assigned to this user: a username, an id or me.")] = ""
    owner: Annotated[
        str, typer.Option("--owner", help="Owned by this user: a username, an id or me; - is everybody.")
    ] = ""
    due_before: Annotated[
        str, typer.Option("--due-before", callback=check_day, help="Due before this day, YYYY-MM-DD.")
    ] = ""
    due_after: Annotated[
        str, typer.Option("--due-after", callback=check_day, help="Due after this day, YYYY-MM-DD.")
    ] = ""
    overdue: Annotated[bool, typer.Option("--overdue", help="Open and due before today.")] = False
    from_import: Annotated[
        str,
        typer.Option(
            "--import",
            metavar="ID",
            callback=lambda value: value and check_ids(value),
            help="Created by the import with this id.",
        ),
    ] = ""
    deleted: Annotated[bool, typer.Option("--deleted", help="Deleted tasks only.")] = False
    order_by: Annotated[
        str,
        typer.Option(
            "--order-by", help='created_at, updated_at, due_date, priority or title; with " desc" from the end.'
        ),
    ] = ""

    def to_params(self, client: Client) -> dict[str, Any]:
        """Return the query parameters of a list, without empty ones."""
        params: dict[str, Any] = {
            "status": [status.value for status in self.statuses or ()],
            "priority": [priority.value for priority in self.priorities or ()],
            "labels_all": self.labels,
            "labels_any": self.any_labels,
            "q": self.search,
            "assignee_id": resolve_user(client, self.assignee),
            "owner_id": resolve_user(client, self.owner),
            "due_before": self.due_before,
            "due_after": self.due_after,
            "overdue": "true" if self.overdue else "",
            "import_id": self.from_import,
            "only_deleted": "true" if self.deleted else "",
            "order_by": self.order_by,
        }
        return {name: value for name, value in params.items() if value}


def with_filters(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of TaskFilters instead of its parameter `filters`, which gets their values."""
    options = inspect.signature(TaskFilters).parameters

    @wraps(command)
    def run(**arguments: Any) -> None:
        filters = TaskFilters(**{name: arguments.pop(name) for name in options})
        command(**arguments, filters=filters)

    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(command).parameters.values():
        parameters += options.values() if parameter.name == "filters" else [parameter]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return run


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
