"""CSV files of the rows that an import has rejected."""

import codecs
import shlex
from collections.abc import Mapping
from itertools import chain, count
from pathlib import Path
from typing import Any

from taskmanager_cli.client import Client
from taskmanager_cli.commands.downloads import download
from taskmanager_cli.commands.import_progress import IMPORTS_PATH
from taskmanager_cli.output import note


def save_rejected_rows(
    client: Client, import_id: str, file: Path, csv_format: Mapping[str, Any], *, force: bool
) -> None:
    """Write the rejected rows to a file, and print the command that imports them again."""
    download(client, f"{IMPORTS_PATH}/{import_id}/errors.csv", csv_format, file, force=force)
    again = f"taskmanager import {shlex.quote(str(file))} --option options_from={import_id}"
    note(f"Saved the rejected rows in {file}. Correct them, then run `{again}`.")


def suggest_saving(import_id: str, csv_format: Mapping[str, Any]) -> None:
    """Print the command that saves the rejected rows."""
    bom = " --bom" if csv_format["bom"] else ""
    delimiter = csv_format["delimiter"]
    option = "" if delimiter == "," else f" --delimiter {shlex.quote(delimiter)}"
    note(f"Save the rejected rows with `taskmanager imports errors {import_id} {_free_name()}{bom}{option}`.")


def format_of(file: Path, delimiter: str) -> dict[str, Any]:
    """Return the byte order mark and the delimiter of a file, as parameters of a download."""
    with file.open("rb") as source:
        has_bom = source.read(3).startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return {"bom": has_bom, "delimiter": "tab" if delimiter == "\t" else delimiter}


def _free_name() -> str:
    """Return a name that no file in this folder has."""
    names = chain(["errors.csv"], (f"errors-{number}.csv" for number in count(2)))
    return next(name for name in names if not Path(name).exists())
