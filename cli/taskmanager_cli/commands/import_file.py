"""Command that imports a CSV file, and the one that takes an import back."""

import codecs
import os
import shlex
import shutil
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from itertools import chain, count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

from taskmanager_cli.client import Client
from taskmanager_cli.commands.downloads import check_output, download
from taskmanager_cli.commands.import_progress import PATH, print_errors, print_import, require_success, watch
from taskmanager_cli.commands.inspection import print_inspection, require_importable
from taskmanager_cli.commands.options import UUID_PATTERN, Force, Json, Yes, check_ids, logged_in
from taskmanager_cli.errors import ConnectionLost, DuplicateFile, ErrorsFileIsImported, Refused, ServerFailed
from taskmanager_cli.output import confirm, note, print_json, print_table, stderr

_INSPECTED_BYTES = 256 * 1024
_UPLOAD_ATTEMPTS = 3
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
    if file and undo:
        raise typer.BadParameter("Name either a FILE to import or an import to take back with --undo ID, not both.")
    if not file and not undo:
        raise typer.BadParameter("Name a FILE to import, or an import to take back with --undo ID.")
    if file and file != _STDIN and not file.exists():
        raise typer.BadParameter(f"The file {file} does not exist.")
    if undo:
        check_ids(undo)
    with logged_in(ctx) as client:
        if file:
            given = _parse_options(options or [])
            with _regular_file(file) as source:
                _import(client, source, given, dry_run=dry_run, errors=errors, force=force, yes=yes, as_json=as_json)
        else:
            _undo(client, undo, as_json=as_json)


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


def _import(
    client: Client,
    file: Path,
    given: dict[str, str],
    *,
    dry_run: bool,
    errors: Path | None,
    force: bool,
    yes: bool,
    as_json: bool,
) -> None:
    if dry_run:
        given = given | {"validate_only": "true"}
    if errors and errors.exists() and errors.samefile(file):
        raise ErrorsFileIsImported(path=errors)
    if errors:
        check_output(errors, force=force)
    inspection = _inspect(client, file, given, {})
    require_importable(file, inspection)
    proposed = {name: value for name, value in _to_parts(inspection["options"]).items() if name not in given}
    # The proposed options solve some problems. Another inspection, with these options, reports the others.
    problems = inspection["problems"] and _inspect(client, file, given, proposed)["problems"]
    print_inspection(file, inspection, problems, given=given, proposed=proposed)
    if not yes and not dry_run:
        if not sys.stdin.isatty():
            raise typer.BadParameter("Nobody can be asked here. Add --yes to import the file, or --dry-run.")
        if not confirm("Import the file like this?"):
            note("Nothing was imported.")
            note("Change the proposal with `--option`, for example `--option mapping=title:Summary`.")
            raise typer.Exit
    accepted = _upload(client, file, given, proposed)
    found = watch(client, accepted["id"])
    if as_json:
        print_json(found)
    else:
        # The inspection has listed the columns that are not used.
        print_import(found | {"warnings": [text for text in found["warnings"] if " not used" not in text]})
        print_errors(client, found)
    if found["rows_failed"]:
        _keep_errors(client, found["id"], errors, _format_of(file, inspection), force=force)
    require_success(found)
    if found["rows_created"] + found["rows_updated"] and not dry_run:
        note(f"Take it back with `taskmanager import --undo {found['id']}`.")


def _inspect(client: Client, file: Path, given: dict[str, str], proposed: dict[str, str]) -> dict[str, Any]:
    with file.open("rb") as source:
        beginning = source.read(_INSPECTED_BYTES)
    part = (_sent_name(file), beginning, "text/csv")
    return client.post(f"{PATH}:inspect", params=given, data=proposed, files={"file": part})


def _sent_name(file: Path) -> str:
    """Return the name of the file for the server. Archives of other systems have names that are no text here."""
    return os.fsencode(file.name).decode(errors="replace")


def _to_parts(options: dict[str, Any]) -> dict[str, str]:
    """Return the options of an inspection as parts of a form, without unset ones."""
    optional = {"row_filter", "continuation_rows", "null_values", "title_label_prefix"}  # "" switches the source's off.
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in options.items()
        if value is not None and (value not in {"", 0} or name in optional)
    }


def _upload(client: Client, file: Path, given: dict[str, str], proposed: dict[str, str]) -> dict[str, Any]:
    """Upload the file with the given options as parameters, and the proposed ones, which may be long, as parts.

    After a lost connection the upload is repeated under the same key, so that one import starts.
    """
    headers = {"idempotency-key": str(uuid.uuid4())}
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    for attempt in range(1, _UPLOAD_ATTEMPTS + 1):
        with (
            file.open("rb") as source,
            Progress("Uploading", *columns, console=stderr(), disable=not stderr().is_terminal, transient=True) as bar,
        ):
            content = bar.wrap_file(source, total=file.stat().st_size)
            try:
                part = (_sent_name(file), content, "text/csv")
                return client.post(PATH, params=given, data=proposed, files={"file": part}, headers=headers)
            except (ConnectionLost, ServerFailed) as error:
                if attempt == _UPLOAD_ATTEMPTS:
                    note("The upload may have started an import. See `taskmanager imports list`.")
                    raise
                note(f"{error} Trying again.")
            except KeyboardInterrupt:
                note("The upload may have started an import. See `taskmanager imports list`.")
                raise
            except Refused as error:
                if error.has_reason("DUPLICATE_FILE"):
                    raise _duplicate(error) from None
                raise
    raise AssertionError


def _duplicate(error: Refused) -> Refused | DuplicateFile:
    """Return the error that names commands instead of fields of the API."""
    import_id = UUID_PATTERN.search(str(error))
    return DuplicateFile(import_id=import_id[0]) if import_id else error


def _format_of(file: Path, inspection: dict[str, Any]) -> dict[str, Any]:
    """Return the byte order mark and the delimiter of the file, as parameters of a download."""
    with file.open("rb") as source:
        has_bom = source.read(3).startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    delimiter = inspection["delimiter"]
    return {"bom": has_bom, "delimiter": "tab" if delimiter == "\t" else delimiter}


def _keep_errors(
    client: Client, import_id: str, errors: Path | None, csv_format: dict[str, Any], *, force: bool
) -> None:
    if not errors:
        bom = " --bom" if csv_format["bom"] else ""
        delimiter = csv_format["delimiter"]
        option = "" if delimiter == "," else f" --delimiter {shlex.quote(delimiter)}"
        note(f"Save the rejected rows with `taskmanager imports errors {import_id} {_free_name()}{bom}{option}`.")
        return
    download(client, f"{PATH}/{import_id}/errors.csv", csv_format, errors, force=force)
    again = f"taskmanager import {shlex.quote(str(errors))} --option options_from={import_id}"
    note(f"Saved the rejected rows in {errors}. Correct them, then run `{again}`.")


def _free_name() -> str:
    """Return a name for the file of the rejected rows that no file in this folder has."""
    names = chain(["errors.csv"], (f"errors-{number}.csv" for number in count(2)))
    return next(name for name in names if not Path(name).exists())


def _undo(client: Client, import_id: str, *, as_json: bool) -> None:
    client.post(f"{PATH}/{import_id}:undo", json={})
    found = watch(client, import_id, undo=True)
    if as_json:
        print_json(found)
        return
    print_import(found)
    if found["undo"]["kept"]:
        conflicts = client.items(f"{PATH}/{import_id}/undo-conflicts", "conflicts", limit=20)
        rows = ((conflict["task_id"], conflict["reason"]) for conflict in conflicts)
        print_table("Tasks that stay as they are", ("task", "reason"), rows, whole=("task",))
