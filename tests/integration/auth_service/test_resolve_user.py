"""What another service may ask about an account."""

import grpc
import psycopg
import pytest
from taskmanager.auth.v1 import user_service_pb2

from tests.support.grpc_calls import bearer, refused


async def reader(door) -> tuple[tuple[str, str], ...]:
    return bearer((await door.service_token(await door.create_service("reports", "users:read"))).access_token)


async def test_an_account_is_found_by_id_and_by_username_in_any_case(door):
    sonu, metadata = await door.register("Sonu", email="sonu@example.com"), await reader(door)
    for names in ({"id": sonu.id}, {"username": "sONU"}):
        assert await door.users.ResolveUser(user_service_pb2.ResolveUserRequest(**names), metadata=metadata) == sonu


async def test_a_disabled_account_and_one_that_never_was_are_not_found(door, database):
    sonu, metadata = await door.register(), await reader(door)
    with psycopg.connect(database.administrator_url) as connection:
        connection.execute("UPDATE auth.users SET disabled = true")
    for names in ({"id": sonu.id}, {"username": "sonu"}, {"username": "nobody"}):
        status = await refused(door.users.ResolveUser(user_service_pb2.ResolveUserRequest(**names), metadata=metadata))
        assert (status.code, status.reason) == (grpc.StatusCode.NOT_FOUND, "USER_NOT_FOUND")


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ({}, "EXACTLY_ONE_IDENTIFIER"),
        ({"id": "0190b5a6-7f6e-7cc0-98d6-2f8a4b3c1d2e", "username": "sonu"}, "EXACTLY_ONE_IDENTIFIER"),
        ({"username": "a\0b"}, "INVALID_USERNAME"),
        ({"id": "x"}, "MALFORMED_ID"),
    ],
)
async def test_exactly_one_name_that_can_be_one_is_asked_for(door, names, reason):
    call = door.users.ResolveUser(user_service_pb2.ResolveUserRequest(**names), metadata=await reader(door))
    status = await refused(call)
    assert (status.code, status.reason) == (grpc.StatusCode.INVALID_ARGUMENT, reason)


async def test_a_user_may_not_look_others_up(door):
    sonu = await door.register()
    call = door.users.ResolveUser(
        user_service_pb2.ResolveUserRequest(id=sonu.id), metadata=bearer((await door.login()).access_token)
    )
    assert (await refused(call)).code == grpc.StatusCode.PERMISSION_DENIED


async def names(door, metadata, *ids: str) -> dict[str, str]:
    request = user_service_pb2.BatchGetUserNamesRequest(ids=ids)
    answer = await door.users.BatchGetUserNames(request, metadata=metadata)
    return {user.id: user.username for user in answer.users}


async def test_names_are_told_many_at_once_disabled_ones_too_and_nobodys_left_out(door, database):
    sonu, mina, dora = [await door.register(name) for name in ("Sonu", "mina", "dora")]
    metadata = await reader(door)
    with psycopg.connect(database.administrator_url) as connection:
        connection.execute("UPDATE auth.users SET disabled = true WHERE username = 'mina'")
    await door.delete_me((await door.login("dora@example.com")).access_token)
    nobody = "0190b5a6-7f6e-7cc0-98d6-2f8a4b3c1d2e"
    assert await names(door, metadata, sonu.id, mina.id, dora.id, nobody, sonu.id) == {sonu.id: "Sonu", mina.id: "mina"}
    assert await names(door, metadata) == {}


async def test_more_names_than_fit_and_ids_that_are_none_are_refused(door):
    nobody = "0190b5a6-7f6e-7cc0-98d6-2f8a4b3c1d2e"
    metadata = await reader(door)
    assert await names(door, metadata, *[nobody] * 1000) == {}
    for ids, reason in (([nobody] * 1001, "TOO_MANY_IDS"), (["x"], "MALFORMED_ID"), ([""], "MISSING_FIELD")):
        request = user_service_pb2.BatchGetUserNamesRequest(ids=ids)
        status = await refused(door.users.BatchGetUserNames(request, metadata=metadata))
        assert (status.code, status.reason) == (grpc.StatusCode.INVALID_ARGUMENT, reason)


async def ids(door, metadata, *usernames: str) -> dict[str, str]:
    request = user_service_pb2.BatchGetUserIdsRequest(usernames=usernames)
    answer = await door.users.BatchGetUserIds(request, metadata=metadata)
    return {user.username: user.id for user in answer.users}


async def test_ids_are_told_many_at_once_by_names_in_any_case_and_those_of_nobody_in_use_left_out(door, database):
    sonu, mina, dora = [await door.register(name) for name in ("Sonu", "mina", "dora")]
    metadata = await reader(door)
    with psycopg.connect(database.administrator_url) as connection:
        connection.execute("UPDATE auth.users SET disabled = true WHERE username = 'mina'")
    await door.delete_me((await door.login("dora@example.com")).access_token)
    impossible = ("", " ", "a\0b", "a" + "\u0301" * 100_000, "x" * 100_000, "Sonu ")
    asked = ("Sonu", "sONU", "\uff33onu", mina.username, dora.username, "nobody", *impossible)
    assert await ids(door, metadata, *asked) == dict.fromkeys(("Sonu", "sONU", "\uff33onu"), sonu.id)
    assert await ids(door, metadata) == {}


async def test_more_names_than_fit_are_refused_and_so_is_a_user_who_asks(door):
    await door.register()
    metadata = await reader(door)
    assert await ids(door, metadata, *["nobody"] * 1000) == {}
    request = user_service_pb2.BatchGetUserIdsRequest(usernames=["nobody"] * 1001)
    status = await refused(door.users.BatchGetUserIds(request, metadata=metadata))
    assert (status.code, status.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "TOO_MANY_USERNAMES")
    call = door.users.BatchGetUserIds(
        user_service_pb2.BatchGetUserIdsRequest(), metadata=bearer((await door.login()).access_token)
    )
    assert (await refused(call)).code == grpc.StatusCode.PERMISSION_DENIED
