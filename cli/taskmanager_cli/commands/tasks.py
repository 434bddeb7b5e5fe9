"""Commands for tasks."""

from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any

import typer

from taskmanager_cli.client import Client
from taskmanager_cli.commands.downloads import download
from taskmanager_cli.commands.options import Bom, Delimiter, Force, Id, Ids, Json, check_day, logged_in
from taskmanager_cli.commands.task_filters import Priority, Status, TaskFilters, resolve_user, with_filters
from taskmanager_cli.errors import Refused
from taskmanager_cli.output import count_of, note, print_fields, print_json, print_table

app = typer.Typer(no_args_is_help=True, help="List, add, change, delete and export tasks.")

_PATH = "/api/v1/tasks"
_SHOWN = ("title", "status", "priority", "due_date", "labels", "description", "external_id")
_SHOWN_IDS = ("id", "owner_id", "assignee_id", "import_id", "created_at", "updated_at", "completed_at", "deleted_at")


@app.command("list")
@with_filters
def list_tasks(
    ctx: typer.Context,
    filters: TaskFilters,
    limit: Annotated[int, typer.Option(min=0, help="Show at most this many. 0: all.")] = 50,
    as_json: Json = False,
) -> None:
    """List the tasks that you own or are assigned to."""
    with logged_in(ctx) as client:
        # One more than is shown tells that there are more.
        found = list(client.items(_PATH, "tasks", filters.to_params(client), limit=limit + 1 if limit else 0))
    shown = found[:limit] if limit else found
    if as_json:
        print_json(shown)
    elif shown:
        _print_tasks(shown)
    else:
        note("No task matches. Add one with `taskmanager tasks add TITLE`.")
    if len(found) > len(shown):
        note(f"There are more than {limit}. Show all with `--limit 0`.")


@app.command()
def show(ctx: typer.Context, task_id: Id, as_json: Json = False) -> None:
    """Show one task."""
    with logged_in(ctx) as client:
        _print_task(client.get(f"{_PATH}/{task_id}"), as_json=as_json)


@app.command()
def add(
    ctx: typer.Context,
    title: Annotated[str, typer.Argument(metavar="TITLE", help="Title of the task.")],
    description: Annotated[str, typer.Option("--description", "-d")] = "",
    status: Annotated[Status, typer.Option("--status", "-s")] = Status.PENDING,
    priority: Annotated[Priority, typer.Option("--priority", "-p")] = Priority.NONE,
    due: Annotated[str, typer.Option("--due", callback=check_day, help="Day, YYYY-MM-DD.")] = "",
    labels: Annotated[list[str] | None, typer.Option("--label", "-l", help="May be repeated.")] = None,
    assignee: Annotated[str, typer.Option("--assignee", help="A username, a user's id or me.")] = "",
    external_id: Annotated[str, typer.Option("--external-id", help="Id in another system.")] = "",
    as_json: Json = False,
) -> None:
    """Add a task."""
    with logged_in(ctx) as client:
        fields = {
            "title": title,
            "description": description,
            "status": status.value,
            "priority": priority.value,
            "due_date": due,
            "labels": labels or [],
            "assignee_id": resolve_user(client, assignee),
            "external_id": external_id,
        }
        task = client.post(_PATH, json={name: value for name, value in fields.items() if value})
    note(f"Added task {task['id']}.")
    _print_task(task, as_json=as_json)


@app.command()
def edit(
    ctx: typer.Context,
    task_id: Id,
    title: Annotated[str | None, typer.Option("--title", "-t")] = None,
    description: Annotated[str | None, typer.Option("--description", "-d", help='"" removes it.')] = None,
    status: Annotated[Status | None, typer.Option("--status", "-s")] = None,
    priority: Annotated[Priority | None, typer.Option("--priority", "-p")] = None,
    due: Annotated[
        str | None, typer.Option("--due", callback=check_day, help='Day, YYYY-MM-DD; "" removes it.')
    ] = None,
    labels: Annotated[list[str] | None, typer.Option("--label", "-l", help='All labels; "" alone: none.')] = None,
    assignee: Annotated[str | None, typer.Option("--assignee", help='A username, an id or me; "" is nobody.')] = None,
    external_id: Annotated[str | None, typer.Option("--external-id", help='"" removes it.')] = None,
    etag: Annotated[str, typer.Option("--etag", help="Change the task only if it still has this etag.")] = "",
    as_json: Json = False,
) -> None:
    """Change the fields of a task that you name; the others stay."""
    with logged_in(ctx) as client:
        given = {
            "title": title,
            "description": description,
            "status": status and status.value,
            "priority": priority and priority.value,
            "due_date": due,
            "labels": None if labels is None else [label for label in labels if label],
            "assignee_id": None if assignee is None else resolve_user(client, assignee),
            "external_id": external_id,
        }
        changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        if not changes:
            raise typer.BadParameter("Name a field to change, such as --title.")
        task = client.patch(f"{_PATH}/{task_id}", changes | ({"etag": etag} if etag else {}))
    _print_task(task, as_json=as_json)


@app.command()
def done(ctx: typer.Context, task_ids: Ids, as_json: Json = False) -> None:
    """Mark tasks as completed."""
    changed = []
    with logged_in(ctx) as client:
        for task_id in task_ids:
            task = client.patch(f"{_PATH}/{task_id}", {"status": "completed"})
            note(f"Completed: {task['title']}")
            changed.append(task)
    if as_json:
        print_json(changed)


@app.command()
def rm(ctx: typer.Context, task_ids: Ids, as_json: Json = False) -> None:
    """Delete tasks. They can be restored until they are purged."""
    with logged_in(ctx) as client:
        for task_id in task_ids:
            verb = "Deleted" if _delete(client, task_id) else "Already deleted:"
            note(f"{verb} {task_id}. Restore it with `taskmanager tasks restore {task_id}`.")
    if as_json:
        print_json({"deleted": task_ids})


def _delete(client: Client, task_id: str) -> bool:
    """Delete a task. Return False if it was deleted before: the server reports it like one that never existed."""
    try:
        client.delete(f"{_PATH}/{task_id}")
    except Refused as error:
        if error.http_status == HTTPStatus.NOT_FOUND and client.get(f"{_PATH}/{task_id}")["deleted_at"]:
            return False
        raise
    return True


@app.command()
def restore(ctx: typer.Context, task_ids: Ids, as_json: Json = False) -> None:
    """Restore deleted tasks."""
    with logged_in(ctx) as client:
        restored = [client.post(f"{_PATH}/{task_id}:undelete", json={}) for task_id in task_ids]
    for task in restored:
        note(f"Restored: {task['title']}")
    if as_json:
        print_json(restored)


@app.command()
@with_filters
def export(
    ctx: typer.Context,
    filters: TaskFilters,
    file: Annotated[Path | None, typer.Argument(metavar="FILE", help="File to write. Default: stdout.")] = None,
    force: Force = False,
    bom: Bom = False,
    delimiter: Delimiter = "",
    as_json: Json = False,
) -> None:
    """Write tasks to a CSV file that an import reads. --json reports the file, and needs FILE."""
    if as_json and not file:
        raise typer.BadParameter("--json needs FILE. For tasks as JSON use: taskmanager tasks list --limit 0 --json")
    with logged_in(ctx) as client:
        params = filters.to_params(client) | {"bom": bom, "delimiter": delimiter}
        size = download(client, f"{_PATH}:export", params, file, force=force)
    if file:
        note(f"Wrote {count_of(size, 'byte')} to {file}.")
    if as_json:
        print_json({"file": str(file), "bytes": size})


def _print_tasks(tasks: list[dict[str, Any]]) -> None:
    columns = ("id", "title", "status", "priority", "due", "labels")
    rows = (
        (task["id"], task["title"], task["status"], task["priority"], task["due_date"], ", ".join(task["labels"]))
        for task in tasks
    )
    print_table("", columns, rows, whole=("id", "status", "due"))


def _print_task(task: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(task)
        return
    values = task | {"labels": ", ".join(task["labels"])}
    print_fields((name, values[name]) for name in _SHOWN + _SHOWN_IDS)
