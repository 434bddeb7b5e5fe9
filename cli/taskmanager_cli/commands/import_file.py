"""Command that imports a CSV file, or takes an import back."""

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from taskmanager_cli.client import Client
from taskmanager_cli.commands.downloads import check_output
from taskmanager_cli.commands.import_progress import print_errors, print_import, require_success, watch_import
from taskmanager_cli.commands.import_undo import undo_import
from taskmanager_cli.commands.inspection import print_inspection, require_importable
from taskmanager_cli.commands.options import Force, Json, Yes, check_ids, logged_in
from taskmanager_cli.commands.rejected_rows import format_of, save_rejected_rows, suggest_saving
from taskmanager_cli.commands.upload import Upload
from taskmanager_cli.errors import ErrorsFileIsImported
from taskmanager_cli.output import confirm, note, print_json

_STDIN = Path("-")


def import_file(
    ctx: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", dir_okay=False, readable=True, help="CSV file. - is stdin.")
    ] = None,
    undo: Annotated[str, typer.Option("--undo", metavar="ID", help="Take back the import with this id.")] = "",
    options: Annotated[
        list[str] | None,
        typer.Option("--option", "-o", metavar="NAME=VALUE", help="Upload option of docs/imports.md. May be repeated."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check all rows, write no task.")] = False,
    errors: Annotated[
        Path | None, typer.Option("--errors", metavar="FILE", help="Save rejected rows here, to correct them.")
    ] = None,
    force: Force = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Import a CSV file: show what becomes of its columns, ask, upload it and follow the import.

    Files of Todoist, Asana, Trello, Jira and other tools need no edit.
    """
    if undo:
        if file:
            raise typer.BadParameter("Name either a FILE to import or an import to take back with --undo ID, not both.")
        check_ids(undo)
        with logged_in(ctx) as client:
            undo_import(client, undo, as_json=as_json)
        return
    if not file:
        raise typer.BadParameter("Name a FILE to import, or an import to take back with --undo ID.")
    if file != _STDIN and not file.exists():
        raise typer.BadParameter(f"The file {file} does not exist.")
    with logged_in(ctx) as client:
        given = _parse_options(options or []) | ({"validate_only": "true"} if dry_run else {})
        with _regular_file(file) as source:
            if errors:
                _check_errors_file(errors, source, force=force)
            upload = Upload(client, source, given)
            inspection, proposed = _preview(upload)
            if not yes and not dry_run:
                _require_consent()
            found = watch_import(client, upload.send(proposed)["id"])
            _print_result(client, found, inspection.get("column_warnings", []), as_json=as_json)
            if found["rows_failed"]:
                csv_format = format_of(source, inspection["delimiter"])
                _keep_rejected_rows(client, found["id"], errors, csv_format, force=force)
    require_success(found)
    if found["rows_created"] + found["rows_updated"] and not dry_run:
        note(f"Take it back with `taskmanager import --undo {found['id']}`.")


def _parse_options(options: list[str]) -> dict[str, str]:
    pairs = [option.partition("=") for option in options]
    for name, separator, _ in pairs:
        if not separator or not name:
            raise typer.BadParameter(f"{name!r} must have the form NAME=VALUE.", param_hint="--option")
    return {name.strip(): value for name, _, value in pairs}


@contextmanager
def _regular_file(file: Path) -> Iterator[Path]:
    """Yield the file, or a temporary copy of stdin or of another pipe: a pipe can be read only once."""
    if file != _STDIN and file.is_file():
        yield file
        return
    with TemporaryDirectory() as folder:
        copy = Path(folder, file.name if file.suffix else "stdin.csv")
        opened = nullcontext(sys.stdin.buffer) if file == _STDIN else file.open("rb")
        with opened as source, copy.open("wb") as target:
            shutil.copyfileobj(source, target)
        yield copy


def _check_errors_file(errors: Path, file: Path, *, force: bool) -> None:
    """Raise an error if the rejected rows can't be saved in the file: before the import, which would be lost work."""
    if errors.exists() and errors.samefile(file):
        raise ErrorsFileIsImported(path=errors)
    check_output(errors, force=force)


def _preview(upload: Upload) -> tuple[dict[str, Any], dict[str, str]]:
    """Show how the file would be imported. Return its inspection, and the options that it proposes."""
    inspection = upload.inspect()
    require_importable(upload.file, inspection)
    proposed = upload.proposals(inspection["options"])
    # The proposed options solve some problems. Another inspection, with these options, reports the others.
    problems = inspection["problems"] and upload.inspect(proposed)["problems"]
    print_inspection(upload.file, inspection, problems, given=upload.given, proposed=proposed)
    return inspection, proposed


def _require_consent() -> None:
    """Ask for the import. End the command without one."""
    if not sys.stdin.isatty():
        raise typer.BadParameter("Nobody can be asked here. Add --yes to import the file, or --dry-run.")
    if not confirm("Import the file like this?"):
        note("Nothing was imported.")
        note("Change the proposal with `--option`, for example `--option mapping=title:Summary`.")
        raise typer.Exit


def _print_result(client: Client, found: dict[str, Any], shown_warnings: list[str], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    print_import(found | {"warnings": [text for text in found["warnings"] if text not in shown_warnings]})
    print_errors(client, found)


def _keep_rejected_rows(
    client: Client, import_id: str, errors: Path | None, csv_format: dict[str, Any], *, force: bool
) -> None:
    if errors:
        save_rejected_rows(client, import_id, errors, csv_format, force=force)
    else:
        suggest_saving(import_id, csv_format)
