"""Who has an account is asked once in a while, not once a row."""

from collections.abc import Collection, Mapping
from uuid import UUID

from taskmanager.auth.v1 import user_pb2

from task_service.clients import people
from task_service.clients.people import RememberedPeople

SONU = UUID(int=1)


class Accounts:
    """auth_service with one account, counting what it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.exists = True

    async def user(self, *, user_id: str) -> user_pb2.User | None:
        self.asked.append(user_id)
        return user_pb2.User(id=str(SONU), username="sonu") if self.exists and user_id == str(SONU) else None

    async def ids(self, usernames: Collection[str]) -> Mapping[str, UUID]:
        self.asked.append(" ".join(usernames))
        return {name: SONU for name in usernames if self.exists and name.lower() == "sonu"}

    async def names(self, user_ids: Collection[UUID]) -> Mapping[UUID, str]:
        self.asked.append(" ".join(sorted(str(user_id) for user_id in user_ids)))
        return {SONU: "sonu"} if self.exists and SONU in user_ids else {}


async def test_found_user_is_cached_for_a_while():
    accounts, clock = Accounts(), [0.0]
    known = RememberedPeople(accounts, now=lambda: clock[0])
    assert [await known.is_known(SONU) for _ in range(3)] == [True] * 3
    assert len(accounts.asked) == 1
    clock[0] += people.REMEMBERED_SECONDS
    accounts.exists = False
    assert not await known.is_known(SONU)
    assert len(accounts.asked) == 2


async def test_somebody_who_was_not_found_is_asked_for_each_time():
    accounts = Accounts()
    accounts.exists = False
    known = RememberedPeople(accounts)
    assert not await known.is_known(SONU)
    accounts.exists = True
    assert await known.is_known(SONU)


async def test_unknown_usernames_are_left_out():
    assert await RememberedPeople(Accounts()).named({"SONU", "sonu", "nobody"}) == {"SONU": SONU, "sonu": SONU}


async def test_usernames_are_looked_up_in_batches():
    accounts = Accounts()
    known = RememberedPeople(accounts)
    names = ["sonu", *(f"nobody{number}" for number in range(1999))]
    for _ in range(2):
        assert await known.named(names) == {"sonu": SONU}
    assert [len(call.split()) for call in accounts.asked] == [1000, 1000]
    assert await known.named({"sonu", "nobody1", "Sonu"}) == {"sonu": SONU, "Sonu": SONU}
    assert accounts.asked[2:] == ["Sonu"]


async def test_unknown_username_is_looked_up_again_soon():
    accounts, clock = Accounts(), [0.0]
    accounts.exists = False
    known = RememberedPeople(accounts, now=lambda: clock[0])
    assert await known.named({"sonu"}) == {}
    accounts.exists = True
    assert await known.named({"sonu"}) == {}
    clock[0] += people.NOBODY_SECONDS
    assert await known.named({"sonu"}) == {"sonu": SONU}


async def test_only_so_many_are_remembered():
    accounts = Accounts()
    known = RememberedPeople(accounts, most=1)
    for name in ("sonu", "Sonu", "sonu"):
        await known.named({name})
    assert accounts.asked == ["sonu", "Sonu", "sonu"]


async def test_usernames_by_id_are_cached():
    accounts, clock, nobody = Accounts(), [0.0], UUID(int=2)
    known = RememberedPeople(accounts, now=lambda: clock[0])
    assert await known.called({SONU, nobody}) == {SONU: "sonu"}
    assert await known.called({SONU, nobody}) == {SONU: "sonu"}
    assert await known.called({SONU}) == {SONU: "sonu"}
    assert accounts.asked == [f"{SONU} {nobody}", str(nobody)]
    clock[0] += people.REMEMBERED_SECONDS
    accounts.exists = False
    assert await known.called({SONU}) == {}
