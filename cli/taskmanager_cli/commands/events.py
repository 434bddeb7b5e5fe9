"""Command that shows changes of tasks."""

from typing import Annotated, Any

import typer

from taskmanager_cli.client import Client
from taskmanager_cli.commands.options import Json, check_ids, logged_in
from taskmanager_cli.output import note, print_json, print_json_line, printable, stdout
from taskmanager_cli.watching import watch_stream

_PATH = "/api/v1/events"


def events(
    ctx: typer.Context,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Show changes as they happen, until Ctrl-C.")] = False,
    task_id: Annotated[str, typer.Option("--task", metavar="ID", help="Only changes of this task.")] = "",
    cursor: Annotated[
        str, typer.Option("--cursor", help="With --follow: continue after this cursor; - is the first change ever.")
    ] = "",
    limit: Annotated[int, typer.Option(min=0, help="Show at most this many, the newest ones. 0: all.")] = 50,
    as_json: Json = False,
) -> None:
    """Show the newest changes of all your tasks, or the history of one; or follow changes as they happen."""
    if cursor and not follow:
        raise typer.BadParameter("--cursor is the start of a stream. Add --follow.")
    if task_id:
        check_ids(task_id)
    with logged_in(ctx) as client:
        if follow:
            _follow(client, task_id, cursor, as_json=as_json)
            return
        found = _history(client, task_id) if task_id else _newest(client, limit)
    if as_json:
        print_json(found)
        return
    for event in found:
        _print_event(event)


def _follow(client: Client, task_id: str, cursor: str, *, as_json: bool) -> None:
    """Print changes as they happen. A stream that breaks continues after the last one: none is lost or repeated."""
    position = {"cursor": cursor, "task_id": task_id}
    if not as_json:
        note("Waiting for changes. Ctrl-C ends.")
    for message in watch_stream(client, f"{_PATH}:watch", lambda: position):
        position["cursor"] = message["cursor"]
        if as_json:
            print_json_line(message)
        elif message["event"]:
            _print_event(message["event"])


def _history(client: Client, task_id: str) -> list[dict[str, Any]]:
    """Return all events of one task."""
    return list(client.items(f"/api/v1/tasks/{task_id}/events", "events"))


def _newest(client: Client, limit: int) -> list[dict[str, Any]]:
    """Return the newest events of all tasks that the user may see, oldest first."""
    return list(client.items(_PATH, "events", {"newest_first": True}, limit=limit))[::-1]


def _print_event(event: dict[str, Any]) -> None:
    is_new = event["action"] == "created"
    changes = [
        f"{change['field']} = {change['new']}"
        if is_new
        else f"{change['field']}: {change['old'] or '-'} -> {change['new'] or '-'}"
        for change in event["changes"]
    ]
    if event["access_change"]:
        changes = [f"you {event['access_change']} access to the task"]
    time = str(event["occurred_at"])[:19].replace("T", " ")
    text = f"{time} UTC  {event['task_id']}  {event['action']}  {', '.join(changes)}"
    stdout().print(printable(text).replace("\n", " "), soft_wrap=True)
