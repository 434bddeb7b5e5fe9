"""An import ends when its owner's account does, and never because nobody can be asked."""

import asyncio
from uuid import UUID

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError, Metadata
from taskmanager.auth.v1 import user_pb2

from chassis.kernel.errors import Unavailable
from task_service.clients import owners
from task_service.clients.owners import RememberedOwners

SONU = UUID(int=1)


class Accounts:
    """auth_service with one account, or out of order."""

    def __init__(self) -> None:
        self.asked = 0
        self.exists = True
        self.trouble: BaseException | None = None
        self.silent = False

    async def user(self, *, user_id: str) -> user_pb2.User | None:
        self.asked += 1
        if self.silent:
            await asyncio.Event().wait()
        if self.trouble is not None:
            raise self.trouble
        return user_pb2.User(id=user_id) if self.exists else None


async def test_an_owner_is_asked_for_once_in_a_few_seconds():
    accounts, clock = Accounts(), [0.0]
    known = RememberedOwners(accounts, now=lambda: clock[0])
    assert [await known.is_active(SONU) for _ in range(3)] == [True] * 3
    accounts.exists = False
    assert await known.is_active(SONU)
    clock[0] += owners.REMEMBERED_SECONDS
    assert not await known.is_active(SONU)
    assert accounts.asked == 2
    clock[0] += owners.REMEMBERED_SECONDS
    accounts.exists = True
    assert await known.is_active(SONU)


@pytest.mark.parametrize(
    "trouble", [Unavailable(), AioRpcError(StatusCode.INTERNAL, Metadata(), Metadata()), "silence"]
)
@pytest.mark.parametrize("exists", [True, False, None])
async def test_outage_keeps_the_last_answer_about_owners(trouble, exists):
    accounts, clock = Accounts(), [0.0]
    known = RememberedOwners(accounts, now=lambda: clock[0], ask_seconds=0.01)
    if exists is not None:
        accounts.exists = exists
        assert await known.is_active(SONU) is exists
    clock[0] += owners.REMEMBERED_SECONDS
    accounts.silent = trouble == "silence"
    accounts.trouble = None if accounts.silent else trouble
    assert await known.is_active(SONU) is (exists is not False)


async def test_only_so_many_are_remembered():
    accounts = Accounts()
    known = RememberedOwners(accounts, most=1)
    for number in (1, 2, 1):
        await known.is_active(UUID(int=number))
    assert accounts.asked == 3
