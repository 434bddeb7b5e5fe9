"""Requests that send a file: its inspection and its upload."""

import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

from taskmanager_cli.client import Client
from taskmanager_cli.commands.import_progress import IMPORTS_PATH
from taskmanager_cli.errors import ConnectionLost, DuplicateFile, Refused, ServerFailed
from taskmanager_cli.output import note, stderr

_INSPECTED_BYTES = 256 * 1024
_ATTEMPTS = 3
_EMPTY_OPTIONS = {"row_filter", "continuation_rows", "null_values", "title_label_prefix"}
"""Options whose empty value is not the default: it switches that of the source off."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file to import, with the options that the user has given.

    The given options are sent as query parameters, and the proposed ones, which may be long, as parts of a form.
    """

    client: Client
    file: Path
    given: Mapping[str, str]

    @property
    def _sent_name(self) -> str:
        """Name of the file for the server. Archives of other systems have names that are no text here."""
        return os.fsencode(self.file.name).decode(errors="replace")

    def inspect(self, proposed: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Return the inspection of the beginning of the file."""
        with self.file.open("rb") as source:
            beginning = source.read(_INSPECTED_BYTES)
        part = (self._sent_name, beginning, "text/csv")
        return self.client.post(f"{IMPORTS_PATH}:inspect", params=self.given, data=proposed or {}, files={"file": part})

    def proposals(self, options: Mapping[str, Any]) -> dict[str, str]:
        """Return the options of an inspection, as parts of a form, that are set and that the user has not given."""
        return {
            name: str(value).lower() if isinstance(value, bool) else str(value)
            for name, value in options.items()
            if name not in self.given and value is not None and (value not in {"", 0} or name in _EMPTY_OPTIONS)
        }

    def send(self, proposed: Mapping[str, str]) -> dict[str, Any]:
        """Upload the file and return its import.

        After a lost connection the upload is repeated under the same key, so that one import starts.
        """
        key = str(uuid.uuid4())
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return self._send(proposed, key)
            except (ConnectionLost, ServerFailed) as error:
                if attempt == _ATTEMPTS:
                    _note_possible_import()
                    raise
                note(f"{error} Trying again.")
            except KeyboardInterrupt:
                _note_possible_import()
                raise
            except Refused as error:
                raise _explain(error) from None
        raise AssertionError

    def _send(self, proposed: Mapping[str, str], key: str) -> dict[str, Any]:
        columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
        with (
            self.file.open("rb") as source,
            Progress("Uploading", *columns, console=stderr(), disable=not stderr().is_terminal, transient=True) as bar,
        ):
            part = (self._sent_name, bar.wrap_file(source, total=self.file.stat().st_size), "text/csv")
            return self.client.post(
                IMPORTS_PATH,
                params=self.given,
                data=proposed,
                files={"file": part},
                headers={"idempotency-key": key},
            )


def _note_possible_import() -> None:
    note("The upload may have started an import. See `taskmanager imports list`.")


def _explain(error: Refused) -> Refused | DuplicateFile:
    """Return the error for a file that was imported before, which names commands instead of fields of the API.

    The server may be of another version: the error stays as it is if the server does not name the import and its state.
    """
    facts = error.metadata_of("DUPLICATE_FILE")
    import_id, import_state = facts.get("import_id"), facts.get("import_state")
    if import_id and import_state in DuplicateFile.ADVICE:
        return DuplicateFile(import_id=import_id, import_state=import_state)
    return error
