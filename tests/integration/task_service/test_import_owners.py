"""Imports of owners whose accounts are disabled or deleted."""

import asyncio
from uuid import UUID

import grpc
import pytest
from taskmanager.auth.v1 import user_service_pb2, user_service_pb2_grpc
from taskmanager.imports.v1 import import_pb2, import_service_pb2

from chassis.database.pool import open_pool
from task_service.imports.persistence.unit_of_work import SqlImportsUnitOfWork
from task_service.imports.usecases.leases import ClaimNextImport
from tests.integration.task_service.import_calls import batch, get, upload
from tests.support.grpc_calls import refused
from tests.support.user_directory import FakeUserDirectory

FAILED = import_pb2.Import.STATE_FAILED


async def end_account(system, admin, user, change: str) -> None:
    """Disable or delete an account through auth_service's API."""
    async with grpc.aio.insecure_channel(system.auth_target) as channel:
        users = user_service_pb2_grpc.UserServiceStub(channel)
        if change == "deleted":
            await users.DeleteCurrentUser(user_service_pb2.DeleteCurrentUserRequest(), metadata=user.metadata)
        else:
            request = user_service_pb2.UpdateUserRequest(id=user.id, disabled=True)
            await users.UpdateUser(request, metadata=admin.metadata)


@pytest.mark.parametrize("change", ["disabled", "deleted"])
async def test_import_fails_soon_after_its_owners_account_ends(system, worker, database, change):
    """The tasks that it has created stay."""
    sonu, admin = await system.new_user("sonu"), await system.new_admin()
    queued = await upload(system, sonu, b"title\n" + b"x" * 100_000)
    lease = await worker.claim()
    sent = batch(lease.checkpoint, ["before"], size=1)
    _, response = await worker.stream(lease, sent)
    assert not response.finished
    await end_account(system, admin, sonu, change)
    async with asyncio.timeout(60):
        while not response.finished:  # is_active is cached for a few seconds
            sent = batch(response.checkpoint, ["after"], size=1)
            *_, response = await worker.stream(lease, sent)
    assert response.checkpoint == sent.batch.begin
    found = await get(system, admin, queued.id)
    assert (found.state, found.failure.code) == (FAILED, "OWNER_DISABLED")
    assert found.failure.message == "The owner's account was disabled or deleted."
    assert found.rows_created == sent.batch.begin.records
    assert await database.execute("SELECT count(*) FROM tasks.tasks") == [(found.rows_created,)]
    assert (await refused(worker.stream(lease, sent))).reason == "LEASE_LOST"


async def test_claim_skips_imports_of_disabled_owners(system, worker):
    sonu, mina, admin = await system.new_user("sonu"), await system.new_user("mina"), await system.new_admin()
    orphans = [await upload(system, sonu) for _ in range(2)]
    waiting = await upload(system, mina)
    await end_account(system, admin, sonu, "disabled")
    assert (await worker.claim()).import_id == waiting.id
    assert await worker.claim() is None
    for orphan in orphans:
        found = await get(system, admin, orphan.id)
        assert (found.state, found.failure.code, found.rows_read) == (FAILED, "OWNER_DISABLED", 0)


class CancellingUserDirectory(FakeUserDirectory):
    """User directory with one inactive user. A lookup of that user cancels an import."""

    def __init__(self, system, owner, import_id: str) -> None:
        super().__init__()
        self._system, self._owner, self._import_id = system, owner, import_id

    async def is_active(self, user_id: UUID) -> bool:
        if user_id != UUID(self._owner.id):
            return True
        request = import_service_pb2.CancelImportRequest(id=self._import_id)
        await self._system.imports.CancelImport(request, metadata=self._owner.metadata)
        return False


async def test_claim_skips_an_import_cancelled_during_the_claim(system, database):
    """The owner is disabled, and the import is cancelled while the claim looks the owner up."""
    sonu, mina = await system.new_user("sonu"), await system.new_user("mina")
    orphan = await upload(system, sonu)
    waiting = await upload(system, mina)
    async with open_pool(database.tasks_url, name="test", size=1) as pool:
        claim = ClaimNextImport(
            begin=lambda: SqlImportsUnitOfWork(pool),
            user_directory=CancellingUserDirectory(system, sonu, orphan.id),
            lease_seconds=2,
            max_running=1,
            is_paused=lambda: False,
        )
        lease = await claim("test")
    assert lease is not None
    assert lease.import_id == UUID(waiting.id)
    found = await get(system, sonu, orphan.id)
    assert (found.state, found.HasField("failure")) == (import_pb2.Import.STATE_CANCELLED, False)
