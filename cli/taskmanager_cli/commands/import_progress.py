"""Progress and result of an import."""

from collections.abc import Iterator
from typing import Any

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from taskmanager_cli.client import Client
from taskmanager_cli.commands.row_errors import print_row_errors
from taskmanager_cli.errors import CliError, ImportNotSuccessful
from taskmanager_cli.output import count_of, note, print_fields, printable, stderr
from taskmanager_cli.watching import watch_stream

IMPORTS_PATH = "/api/v1/imports"
_FINAL_STATES = {"succeeded", "failed", "cancelled"}
_MAX_SHOWN_ERRORS = 20
_COUNTS = ("rows_created", "rows_updated", "rows_unchanged", "rows_skipped", "rows_failed")


def is_final(found: dict[str, Any]) -> bool:
    """Return True if neither the import nor its undo changes any more."""
    undo = found["undo"]
    return found["state"] in _FINAL_STATES and (undo is None or undo["state"] != "running")


def _changes(client: Client, import_id: str) -> Iterator[dict[str, Any]]:
    """Yield the import now and at each change up to its end."""
    for found in watch_stream(client, f"{IMPORTS_PATH}/{import_id}:watch", dict):
        yield found
        if is_final(found):
            return


def watch_import(client: Client, import_id: str, *, undo: bool = False) -> dict[str, Any]:
    """Show the progress of an import, or of its undo, and return the import at its end."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rows]}"),
    )
    last: dict[str, Any] = {}
    told = ""
    try:
        note(f"{'Undo of import' if undo else 'Import'} {import_id} runs at the server. Ctrl-C ends only this display.")
        with Progress(*columns, console=stderr(), disable=not stderr().is_terminal) as progress:
            bar = progress.add_task("Undo" if undo else "Importing", total=None, rows="")
            for last in _changes(client, import_id):
                if progress.disable and waits_for(last) not in {"", told}:
                    told = waits_for(last)
                    note(f"The import waits for {told}.")
                progress.update(
                    bar,
                    description=_activity(last),
                    total=1 if last["undo"] else last["bytes_total"] or None,
                    completed=_progress(last),
                    rows="" if last["undo"] else f"{count_of(last['rows_read'], 'row')} {_rate(last)}",
                )
    except (KeyboardInterrupt, CliError):
        subject = "undo" if undo else "import"
        note(f"The {subject} may continue at the server. Watch it with `taskmanager imports watch {import_id}`.")
        raise
    return last


def _activity(found: dict[str, Any]) -> str:
    if found["undo"]:
        return f"Undo {found['undo']['state']}"
    if found["waits_for"]:
        return f"Waits for {waits_for(found)}"
    return str(found["state"]).capitalize()


def _progress(found: dict[str, Any]) -> int:
    """Return the bytes read of an import, 0 while that is only its header line; 1 for an undo that has ended."""
    if found["undo"]:
        return int(is_final(found))
    return int(found["bytes_read"]) if found["rows_read"] or is_final(found) else 0


def waits_for(found: dict[str, Any]) -> str:
    return str(found["waits_for"] or "").replace("_", " ")


def _rate(found: dict[str, Any]) -> str:
    if not found["rows_per_second"]:
        return ""
    minutes, seconds = divmod(int(found["seconds_left"]), 60)
    left = f", {minutes}:{seconds:02d} left" if found["seconds_left"] else ""
    return f"{found['rows_per_second']:,}/s{left}"


def print_import(found: dict[str, Any]) -> None:
    """Print what an import is and did."""
    fields = [("import", found["id"]), ("file", found["file_name"]), ("state", found["state"])]
    if found["validate_only"]:
        fields.append(("dry run", "no task was written"))
    fields.append(("waits for", waits_for(found)))
    shown = [name for name in _COUNTS if found[name] or name == "rows_created"]
    fields += [(name.replace("_", " "), f"{found[name]:,}") for name in shown]
    if found["failure"]:
        line = f" (line {found['failure']['line']})" if found["failure"]["line"] else ""
        fields.append(("failure", f"{found['failure']['message']}{line}"))
    if found["undo"]:
        undo = found["undo"]
        deleted = count_of(undo["deleted"], "task")
        fields.append(("undo", f"{undo['state']}: {deleted} deleted, {undo['restored']:,} restored"))
        fields.append(("changed since, so kept", f"{undo['kept']:,}" if undo["kept"] else ""))
    if found["state"] == "succeeded" and not found["rows_read"]:
        fields.append(("warning", "The file has no rows."))
    fields += [("warning", warning) for warning in found["warnings"]]
    print_fields(fields)


def print_errors(client: Client, found: dict[str, Any]) -> None:
    """Print the first row errors of an import as a table."""
    if not found["rows_failed"]:
        return
    errors = list(client.items(f"{IMPORTS_PATH}/{found['id']}/errors", "errors", limit=_MAX_SHOWN_ERRORS))
    print_row_errors("Rejected rows", errors)
    if found["rows_failed"] > len(errors):
        note(f"The table shows the first errors of {count_of(found['rows_failed'], 'rejected row')}.")


def require_success(found: dict[str, Any]) -> None:
    """Raise ImportNotSuccessful if the import failed or was cancelled."""
    if found["state"] != "succeeded":
        reason = printable((found["failure"] or {}).get("message") or "somebody cancelled it").rstrip(".")
        raise ImportNotSuccessful(import_id=found["id"], state=found["state"], reason=reason)
