"""Undo of an import, and its result."""

from taskmanager_cli.client import Client
from taskmanager_cli.commands.import_progress import IMPORTS_PATH, print_import, watch_import
from taskmanager_cli.output import print_json, print_table


def undo_import(client: Client, import_id: str, *, as_json: bool) -> None:
    """Take an import back, and print its result and the tasks that stay."""
    client.post(f"{IMPORTS_PATH}/{import_id}:undo", json={})
    found = watch_import(client, import_id, undo=True)
    if as_json:
        print_json(found)
        return
    print_import(found)
    if found["undo"]["kept"]:
        conflicts = client.items(f"{IMPORTS_PATH}/{import_id}/undo-conflicts", "conflicts", limit=20)
        rows = ((conflict["task_id"], conflict["reason"]) for conflict in conflicts)
        print_table("Tasks that stay as they are", ("task", "reason"), rows, whole=("task",))
