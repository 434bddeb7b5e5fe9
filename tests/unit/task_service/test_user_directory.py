"""Cached user directory: its calls of auth_service, and the lifetime of its results."""

import asyncio
from collections.abc import Collection, Mapping
from uuid import UUID

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError, Metadata
from taskmanager.auth.v1 import user_pb2

from chassis.kernel.errors import Unavailable
from task_service.clients import user_directory
from task_service.clients.user_directory import CachedUserDirectory

SONU = UUID(int=1)


class FakeUserLookup:
    """auth_service with one user. Records its calls, and can fail or hang."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.exists = True
        self.error: BaseException | None = None
        self.hangs = False

    async def find_user(self, user_id: str) -> user_pb2.User | None:
        self.calls.append(user_id)
        if self.hangs:
            await asyncio.Event().wait()
        if self.error is not None:
            raise self.error
        return user_pb2.User(id=str(SONU), username="sonu") if self.exists and user_id == str(SONU) else None

    async def ids_by_username(self, usernames: Collection[str]) -> Mapping[str, UUID]:
        self.calls.append(" ".join(usernames))
        return {name: SONU for name in usernames if self.exists and name.lower() == "sonu"}

    async def ids_by_email(self, emails: Collection[str]) -> Mapping[str, UUID]:
        self.calls.append(" ".join(emails))
        return {email: SONU for email in emails if self.exists and email.lower() == "sonu@example.com"}

    async def usernames_by_id(self, user_ids: Collection[UUID]) -> Mapping[UUID, str]:
        self.calls.append(" ".join(sorted(str(user_id) for user_id in user_ids)))
        return {SONU: "sonu"} if self.exists and SONU in user_ids else {}


async def test_existing_user_is_cached_until_its_ttl_ends():
    users, clock = FakeUserLookup(), [0.0]
    directory = CachedUserDirectory(users, now=lambda: clock[0])
    assert [await directory.exists(SONU) for _ in range(3)] == [True] * 3
    assert len(users.calls) == 1
    clock[0] += user_directory.FOUND_TTL_SECONDS
    users.exists = False
    assert not await directory.exists(SONU)
    assert len(users.calls) == 2


async def test_unknown_user_is_never_cached():
    users = FakeUserLookup()
    users.exists = False
    directory = CachedUserDirectory(users)
    assert not await directory.exists(SONU)
    users.exists = True
    assert await directory.exists(SONU)


async def test_usernames_are_returned_as_given():
    """Unknown names are left out."""
    found = await CachedUserDirectory(FakeUserLookup()).ids_by_username({"SONU", "sonu", "nobody"})
    assert found == {"SONU": SONU, "sonu": SONU}


async def test_usernames_are_resolved_in_calls_of_a_thousand():
    """Neither known nor unknown names are looked up again."""
    users = FakeUserLookup()
    directory = CachedUserDirectory(users)
    names = ["sonu", *(f"nobody{number}" for number in range(1999))]
    for _ in range(2):
        assert await directory.ids_by_username(names) == {"sonu": SONU}
    assert [len(call.split()) for call in users.calls] == [1000, 1000]
    assert await directory.ids_by_username({"sonu", "nobody1", "Sonu"}) == {"sonu": SONU, "Sonu": SONU}
    assert users.calls[2:] == ["Sonu"]


async def test_unknown_username_is_looked_up_again_after_its_ttl():
    users, clock = FakeUserLookup(), [0.0]
    users.exists = False
    directory = CachedUserDirectory(users, now=lambda: clock[0])
    assert await directory.ids_by_username({"sonu"}) == {}
    users.exists = True
    assert await directory.ids_by_username({"sonu"}) == {}
    clock[0] += user_directory.UNKNOWN_TTL_SECONDS
    assert await directory.ids_by_username({"sonu"}) == {"sonu": SONU}


async def test_username_cache_has_a_maximum_size():
    users = FakeUserLookup()
    directory = CachedUserDirectory(users, max_entries=1)
    for name in ("sonu", "Sonu", "sonu"):
        await directory.ids_by_username({name})
    assert users.calls == ["sonu", "Sonu", "sonu"]


async def test_emails_are_resolved_in_calls_of_a_thousand():
    """Neither known nor unknown emails are looked up again until their TTLs end."""
    users, clock = FakeUserLookup(), [0.0]
    directory = CachedUserDirectory(users, now=lambda: clock[0])
    emails = ["sonu@example.com", *(f"nobody{number}@example.com" for number in range(1999))]
    for _ in range(2):
        assert await directory.ids_by_email(emails) == {"sonu@example.com": SONU}
    assert [len(call.split()) for call in users.calls] == [1000, 1000]
    clock[0] += user_directory.UNKNOWN_TTL_SECONDS
    await directory.ids_by_email(emails[:2])
    clock[0] = user_directory.FOUND_TTL_SECONDS
    await directory.ids_by_email(emails[:1])
    assert users.calls[2:] == ["nobody0@example.com", "sonu@example.com"]


async def test_email_cache_has_a_maximum_size():
    users = FakeUserLookup()
    directory = CachedUserDirectory(users, max_entries=1)
    for email in ("sonu@example.com", "Sonu@example.com", "sonu@example.com"):
        await directory.ids_by_email({email})
    assert users.calls == ["sonu@example.com", "Sonu@example.com", "sonu@example.com"]


async def test_text_that_no_account_can_have_is_not_looked_up():
    """It does not fill the cache either."""
    users = FakeUserLookup()
    directory = CachedUserDirectory(users)
    assert await directory.ids_by_username({"x" * 100_000}) == {}
    assert await directory.ids_by_email({"x" * 100_000 + "@example.com"}) == {}
    assert users.calls == []


async def test_only_uncached_ids_are_looked_up():
    users, clock, nobody = FakeUserLookup(), [0.0], UUID(int=2)
    directory = CachedUserDirectory(users, now=lambda: clock[0])
    assert await directory.usernames_by_id({SONU, nobody}) == {SONU: "sonu"}
    assert await directory.usernames_by_id({SONU, nobody}) == {SONU: "sonu"}
    assert await directory.usernames_by_id({SONU}) == {SONU: "sonu"}
    assert users.calls == [f"{SONU} {nobody}", str(nobody)]
    clock[0] += user_directory.FOUND_TTL_SECONDS
    users.exists = False
    assert await directory.usernames_by_id({SONU}) == {}


async def test_is_active_is_looked_up_once_per_ttl():
    users, clock = FakeUserLookup(), [0.0]
    directory = CachedUserDirectory(users, now=lambda: clock[0])
    assert [await directory.is_active(SONU) for _ in range(3)] == [True] * 3
    users.exists = False
    assert await directory.is_active(SONU)
    clock[0] += user_directory.ACTIVE_TTL_SECONDS
    assert not await directory.is_active(SONU)
    assert len(users.calls) == 2
    clock[0] += user_directory.ACTIVE_TTL_SECONDS
    users.exists = True
    assert await directory.is_active(SONU)


@pytest.mark.parametrize(
    "error", [Unavailable(), AioRpcError(StatusCode.INTERNAL, Metadata(), Metadata()), "no response"]
)
@pytest.mark.parametrize("exists", [True, False, None])
async def test_is_active_keeps_its_last_result_in_an_outage(error, exists):
    """A user without a known result counts as active."""
    users, clock = FakeUserLookup(), [0.0]
    directory = CachedUserDirectory(users, now=lambda: clock[0], active_timeout_seconds=0.01)
    if exists is not None:
        users.exists = exists
        assert await directory.is_active(SONU) is exists
    clock[0] += user_directory.ACTIVE_TTL_SECONDS
    users.hangs = error == "no response"
    users.error = None if users.hangs else error
    assert await directory.is_active(SONU) is (exists is not False)


async def test_is_active_cache_has_a_maximum_size():
    users = FakeUserLookup()
    directory = CachedUserDirectory(users, max_entries=1)
    for number in (1, 2, 1):
        await directory.is_active(UUID(int=number))
    assert len(users.calls) == 3
