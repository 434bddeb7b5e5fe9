"""Command that shows changes of tasks."""

from typing import Annotated, Any

import typer

from taskmanager_cli.commands.options import Json, check_ids, logged_in
from taskmanager_cli.output import note, print_json, print_json_line, printable, stdout
from taskmanager_cli.watching import watch_stream


def events(
    ctx: typer.Context,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Show changes as they happen, until Ctrl-C.")] = False,
    task_id: Annotated[str, typer.Option("--task", metavar="ID", help="Only changes of this task.")] = "",
    cursor: Annotated[
        str, typer.Option("--cursor", help="With --follow: continue after this cursor; - is the first change ever.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Show the history of a task, or follow the changes of all your tasks."""
    if not follow and not task_id:
        raise typer.BadParameter("Add --follow to see changes as they happen, or --task ID for the history of a task.")
    if task_id:
        check_ids(task_id)
    with logged_in(ctx) as client:
        if not follow:
            found = list(client.items(f"/api/v1/tasks/{task_id}/events", "events"))
            if as_json:
                print_json(found)
            for event in () if as_json else found:
                _print_event(event)
            return
        position = {"cursor": cursor, "task_id": task_id}
        if not as_json:
            note("Waiting for changes. Ctrl-C ends.")
        # A stream that breaks continues after the last message, so that no change is lost or repeated.
        for message in watch_stream(client, "/api/v1/events:watch", lambda: position):
            position["cursor"] = message["cursor"]
            if as_json:
                print_json_line(message)
            elif message["event"]:
                _print_event(message["event"])


def _print_event(event: dict[str, Any]) -> None:
    changes = (f"{change['field']}: {change['old'] or '-'} -> {change['new'] or '-'}" for change in event["changes"])
    time = str(event["occurred_at"])[:19].replace("T", " ")
    text = f"{time}  {event['task_id']}  {event['action']}  {', '.join(changes)}"
    stdout().print(printable(text).replace("\n", " "), soft_wrap=True)
