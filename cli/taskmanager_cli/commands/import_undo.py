"""Undo of an import, and its result."""

from taskmanager_cli.client import Client
from taskmanager_cli.commands.import_progress import IMPORTS_PATH, is_final, print_import, watch_import
from taskmanager_cli.output import minute_of, note, print_json, print_table


def undo_import(client: Client, import_id: str, *, as_json: bool) -> None:
    """Take an import back, and print its result and the tasks that stay."""
    found = client.get(f"{IMPORTS_PATH}/{import_id}")
    if found["undo"] and is_final(found):
        finished_at = minute_of(found["undo"]["finished_at"])
        note(f"The import was taken back before, at {finished_at} UTC. Nothing was changed now.")
    else:
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
