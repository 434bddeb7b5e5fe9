"""Owner and time of an import, which say where its tasks are in the indexes."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, select

from chassis.database.pool import Connection
from chassis.database.statement import Statement
from task_service.persistence.tables import imports

_FIND = Statement(
    select(imports.c.owner_id, imports.c.created_at, imports.c.finished_at).where(imports.c.id == bindparam("id"))
)


class ImportScope(NamedTuple):
    """The tasks of an import belong to its owner, and were created between its upload and its end."""

    owner_id: UUID
    created_at: datetime
    finished_at: datetime | None


async def find_import_scope(connection: Connection, import_id: UUID) -> ImportScope | None:
    """Return the scope; None for an unknown import, which has no tasks."""
    row = await (await _FIND.run(connection, id=import_id)).fetchone()
    return ImportScope._make(row) if row else None
