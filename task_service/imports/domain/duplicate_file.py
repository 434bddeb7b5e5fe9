"""Uploads of a file that an earlier import of the owner has."""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from chassis.kernel.errors import DomainError
from task_service.imports.domain.errors import FILE_FIELD


class DuplicateState(StrEnum):
    """State of an earlier import of the same file. In other states, it is no obstacle."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    UNDOING = "undoing"


class DuplicateImport(NamedTuple):
    """An earlier import of the same file."""

    import_id: UUID
    state: DuplicateState


_ADVICE = {
    DuplicateState.QUEUED: "which is queued. Wait for its end, or cancel it (:cancel)",
    DuplicateState.RUNNING: "which is running. Wait for its end, or cancel it (:cancel)",
    DuplicateState.SUCCEEDED: "which has succeeded. Undo it first (:undo)",
    DuplicateState.UNDOING: "whose undo is in progress. Wait for its end",
}


class DuplicateFile(DomainError):
    """The same file was uploaded as the import {import_id}, {advice}.

    Set allow_same_file to import the file again, or validate_only to check it with other options.
    """

    field = FILE_FIELD

    def __init__(self, duplicate: DuplicateImport) -> None:
        self._duplicate = duplicate
        super().__init__(import_id=duplicate.import_id, advice=_ADVICE[duplicate.state])

    @property
    def metadata(self) -> Mapping[str, str]:
        return {"import_id": str(self._duplicate.import_id), "import_state": self._duplicate.state}
