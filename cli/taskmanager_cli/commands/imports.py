"""Commands for imports that exist."""

from pathlib import Path
from typing import Annotated, Any

import typer

from taskmanager_cli.commands.import_progress import (
    IMPORTS_PATH,
    is_final,
    print_errors,
    print_import,
    require_success,
    waits_for,
    watch_import,
)
from taskmanager_cli.commands.options import Bom, Delimiter, Force, Id, Json, logged_in
from taskmanager_cli.commands.rejected_rows import save_rejected_rows
from taskmanager_cli.commands.row_errors import print_row_errors
from taskmanager_cli.output import minute_of, note, print_json, print_table

app = typer.Typer(no_args_is_help=True, help="List, show, watch and cancel imports.")


@app.command("list")
def list_imports(
    ctx: typer.Context,
    limit: Annotated[int, typer.Option(min=0, help="Show at most this many. 0: all.")] = 20,
    as_json: Json = False,
) -> None:
    """List your imports, newest first."""
    with logged_in(ctx) as client:
        found = list(client.items(IMPORTS_PATH, "imports", limit=limit))
    if as_json:
        print_json(found)
        return
    if not found:
        note("No imports yet. Start one with `taskmanager import FILE`.")
        return
    columns = ("id", "file", "state", "rows created", "rows updated", "rows failed", "created (UTC)")
    rows = (
        (
            each["id"],
            each["file_name"],
            _state_of(each),
            each["rows_created"],
            each["rows_updated"],
            each["rows_failed"],
            minute_of(each["created_at"]),
        )
        for each in found
    )
    print_table("", columns, rows, whole=("id", "state", "created (UTC)"))


def _state_of(found: dict[str, Any]) -> str:
    if (found["undo"] or {}).get("state") == "succeeded":
        return "undone"
    reason = f" (waits for {waits_for(found)})" if found["waits_for"] else ""
    return f"{found['state']}{reason}"


@app.command()
def show(ctx: typer.Context, import_id: Id, as_json: Json = False) -> None:
    """Show an import and its first row errors."""
    with logged_in(ctx) as client:
        found = client.get(f"{IMPORTS_PATH}/{import_id}")
        if as_json:
            print_json(found)
            return
        print_import(found)
        print_errors(client, found)


@app.command()
def watch(ctx: typer.Context, import_id: Id, as_json: Json = False) -> None:
    """Show the progress of an import up to its end."""
    with logged_in(ctx) as client:
        found = client.get(f"{IMPORTS_PATH}/{import_id}")
        if not is_final(found):
            found = watch_import(client, import_id, undo=found["undo"] is not None)
        if as_json:
            print_json(found)
        else:
            print_import(found)
            print_errors(client, found)
    require_success(found)


@app.command()
def cancel(ctx: typer.Context, import_id: Id, as_json: Json = False) -> None:
    """Stop an import. Its rows up to now stay; `import --undo` takes them back."""
    with logged_in(ctx) as client:
        found = client.post(f"{IMPORTS_PATH}/{import_id}:cancel", json={})
    if as_json:
        print_json(found)
    else:
        print_import(found)


@app.command()
def errors(
    ctx: typer.Context,
    import_id: Id,
    file: Annotated[Path | None, typer.Argument(metavar="FILE", help="File for the rejected rows, as CSV.")] = None,
    bom: Bom = False,
    delimiter: Delimiter = "",
    force: Force = False,
    as_json: Json = False,
) -> None:
    """List the row errors of an import, or save the rejected rows to correct them."""
    with logged_in(ctx) as client:
        if file:
            save_rejected_rows(client, import_id, file, {"bom": bom, "delimiter": delimiter}, force=force)
        found = list(client.items(f"{IMPORTS_PATH}/{import_id}/errors", "errors")) if as_json or not file else []
    if as_json:
        print_json(found)
    elif found:
        print_row_errors("", found)
    elif not file:
        note("The import has no row errors.")
