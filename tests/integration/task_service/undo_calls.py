"""Undo of imports, through the API."""

from taskmanager.imports.v1 import import_pb2, import_service_pb2

UNDO_SUCCEEDED = import_pb2.Import.Undo.STATE_SUCCEEDED


async def undo(system, user, import_id: str) -> import_pb2.Import:
    request = import_service_pb2.UndoImportRequest(id=import_id)
    return await system.imports.UndoImport(request, metadata=user.metadata)


async def wait_until_over(system, user, import_id: str) -> import_pb2.Import:
    """Return the import when it and its undo have ended."""
    request = import_service_pb2.WatchImportRequest(id=import_id)
    *_, last = [found async for found in system.imports.WatchImport(request, metadata=user.metadata)]
    return last


async def run_undo(system, user, import_id: str) -> tuple[int, int, int]:
    """Undo an import, and return the numbers of deleted and restored tasks and of conflicts."""
    await undo(system, user, import_id)
    found = (await wait_until_over(system, user, import_id)).undo
    assert found.state == UNDO_SUCCEEDED
    assert found.HasField("finished_at")
    return found.deleted, found.restored, found.kept
