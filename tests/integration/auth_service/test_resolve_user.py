"""Rpcs by which other services read accounts."""

import grpc
import psycopg
import pytest
from taskmanager.auth.v1 import user_service_pb2

from tests.support.grpc_calls import bearer, refused


async def reader_metadata(auth_server) -> tuple[tuple[str, str], ...]:
    return bearer(
        (await auth_server.service_token(await auth_server.create_service("reports", "users:read"))).access_token
    )


async def test_resolve_by_id_and_by_username_in_any_case(auth_server):
    sonu, metadata = await auth_server.register("Sonu", email="sonu@example.com"), await reader_metadata(auth_server)
    for names in ({"id": sonu.id}, {"username": "sONU"}):
        assert (
            await auth_server.users.ResolveUser(user_service_pb2.ResolveUserRequest(**names), metadata=metadata) == sonu
        )


async def test_disabled_and_unknown_accounts_do_not_resolve(auth_server, database):
    sonu, metadata = await auth_server.register(), await reader_metadata(auth_server)
    with psycopg.connect(database.administrator_url) as connection:
        connection.execute("UPDATE auth.users SET disabled = true")
    for names in ({"id": sonu.id}, {"username": "sonu"}, {"username": "nobody"}):
        status = await refused(
            auth_server.users.ResolveUser(user_service_pb2.ResolveUserRequest(**names), metadata=metadata)
        )
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
async def test_resolve_needs_exactly_one_valid_identifier(auth_server, names, reason):
    call = auth_server.users.ResolveUser(
        user_service_pb2.ResolveUserRequest(**names), metadata=await reader_metadata(auth_server)
    )
    status = await refused(call)
    assert (status.code, status.reason) == (grpc.StatusCode.INVALID_ARGUMENT, reason)


async def test_users_may_not_resolve_accounts(auth_server):
    sonu = await auth_server.register()
    call = auth_server.users.ResolveUser(
        user_service_pb2.ResolveUserRequest(id=sonu.id), metadata=bearer((await auth_server.login()).access_token)
    )
    assert (await refused(call)).code == grpc.StatusCode.PERMISSION_DENIED


async def batch_names(auth_server, metadata, *ids: str) -> dict[str, str]:
    request = user_service_pb2.BatchGetUserNamesRequest(ids=ids)
    response = await auth_server.users.BatchGetUserNames(request, metadata=metadata)
    return {user.id: user.username for user in response.users}


async def test_batch_names_include_disabled_accounts(auth_server, database):
    """Usernames of disabled accounts are included. Deleted accounts and unknown ids are left out."""
    sonu, mina, dora = [await auth_server.register(name) for name in ("Sonu", "mina", "dora")]
    metadata = await reader_metadata(auth_server)
    with psycopg.connect(database.administrator_url) as connection:
        connection.execute("UPDATE auth.users SET disabled = true WHERE username = 'mina'")
    await auth_server.delete_me((await auth_server.login("dora@example.com")).access_token)
    unknown_id = "0190b5a6-7f6e-7cc0-98d6-2f8a4b3c1d2e"
    assert await batch_names(auth_server, metadata, sonu.id, mina.id, dora.id, unknown_id, sonu.id) == {
        sonu.id: "Sonu",
        mina.id: "mina",
    }
    assert await batch_names(auth_server, metadata) == {}


async def test_batch_names_reject_bad_ids_and_large_batches(auth_server):
    unknown_id = "0190b5a6-7f6e-7cc0-98d6-2f8a4b3c1d2e"
    metadata = await reader_metadata(auth_server)
    assert await batch_names(auth_server, metadata, *[unknown_id] * 1000) == {}
    for ids, reason in (([unknown_id] * 1001, "TOO_MANY_IDS"), (["x"], "MALFORMED_ID"), ([""], "MISSING_FIELD")):
        request = user_service_pb2.BatchGetUserNamesRequest(ids=ids)
        status = await refused(auth_server.users.BatchGetUserNames(request, metadata=metadata))
        assert (status.code, status.reason) == (grpc.StatusCode.INVALID_ARGUMENT, reason)


async def batch_ids(auth_server, metadata, *usernames: str) -> dict[str, str]:
    request = user_service_pb2.BatchGetUserIdsRequest(usernames=usernames)
    response = await auth_server.users.BatchGetUserIds(request, metadata=metadata)
    return {user.username: user.id for user in response.users}


async def test_batch_ids_match_usernames_in_any_case(auth_server, database):
    """Usernames match in any case. Disabled, deleted, unknown and impossible ones are left out."""
    sonu, mina, dora = [await auth_server.register(name) for name in ("Sonu", "mina", "dora")]
    metadata = await reader_metadata(auth_server)
    with psycopg.connect(database.administrator_url) as connection:
        connection.execute("UPDATE auth.users SET disabled = true WHERE username = 'mina'")
    await auth_server.delete_me((await auth_server.login("dora@example.com")).access_token)
    invalid_names = ("", " ", "a\0b", "a" + "\u0301" * 100_000, "x" * 100_000, "Sonu ")
    usernames = ("Sonu", "sONU", "\uff33onu", mina.username, dora.username, "nobody", *invalid_names)
    assert await batch_ids(auth_server, metadata, *usernames) == dict.fromkeys(("Sonu", "sONU", "\uff33onu"), sonu.id)
    assert await batch_ids(auth_server, metadata) == {}


async def test_batch_ids_reject_large_batches_and_users(auth_server):
    await auth_server.register()
    metadata = await reader_metadata(auth_server)
    assert await batch_ids(auth_server, metadata, *["nobody"] * 1000) == {}
    request = user_service_pb2.BatchGetUserIdsRequest(usernames=["nobody"] * 1001)
    status = await refused(auth_server.users.BatchGetUserIds(request, metadata=metadata))
    assert (status.code, status.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "TOO_MANY_USERNAMES")
    call = auth_server.users.BatchGetUserIds(
        user_service_pb2.BatchGetUserIdsRequest(), metadata=bearer((await auth_server.login()).access_token)
    )
    assert (await refused(call)).code == grpc.StatusCode.PERMISSION_DENIED


async def batch_emails(auth_server, metadata, *emails: str) -> user_service_pb2.BatchGetUserIdsResponse:
    request = user_service_pb2.BatchGetUserIdsRequest(emails=emails)
    return await auth_server.users.BatchGetUserIds(request, metadata=metadata)


async def test_batch_ids_match_emails_as_at_login(auth_server, database):
    """Emails match in any case and spelling. Those of disabled and deleted accounts, and usernames, are left out."""
    sonu, mina, _ = [await auth_server.register(name) for name in ("Sonu", "mina", "dora")]
    metadata = await reader_metadata(auth_server)
    with psycopg.connect(database.administrator_url) as connection:
        connection.execute("UPDATE auth.users SET disabled = true WHERE username = 'mina'")
    await auth_server.delete_me((await auth_server.login("dora@example.com")).access_token)
    spellings = ("Sonu@example.com", "sonu@EXAMPLE.com", " sonu@example.com ", "\uff33onu\uff20example.com")
    for spelling in spellings:
        assert (await auth_server.login(spelling)).user.id == sonu.id
    invalid_emails = ("", " ", "a\0b@example.com", "a" + "\u0301" * 100_000, "x" * 100_000)
    unknown_emails = (mina.email, "dora@example.com", "nobody@example.com", "Sonu", *invalid_emails)
    response = await batch_emails(auth_server, metadata, *spellings, *unknown_emails)
    assert {user.email: user.id for user in response.users_by_email} == dict.fromkeys(spellings, sonu.id)
    assert len(response.users_by_email) == len(spellings)


async def test_batch_ids_of_emails_have_no_usernames(auth_server):
    sonu = await auth_server.register("Sonu", email="private@example.com")
    metadata = await reader_metadata(auth_server)
    response = await batch_emails(auth_server, metadata, "private@example.com")
    expected = user_service_pb2.UserEmail(id=sonu.id, email="private@example.com")
    assert response == user_service_pb2.BatchGetUserIdsResponse(users_by_email=[expected])


async def test_batch_ids_take_usernames_and_emails_together(auth_server):
    sonu, mina = [await auth_server.register(name) for name in ("sonu", "mina")]
    request = user_service_pb2.BatchGetUserIdsRequest(usernames=["sonu"] * 1000, emails=["mina@example.com"] * 1000)
    response = await auth_server.users.BatchGetUserIds(request, metadata=await reader_metadata(auth_server))
    assert [user.id for user in response.users] == [sonu.id]
    assert [user.id for user in response.users_by_email] == [mina.id]


async def test_batch_ids_reject_too_many_emails(auth_server):
    call = batch_emails(auth_server, await reader_metadata(auth_server), *["nobody@example.com"] * 1001)
    status = await refused(call)
    assert (status.code, status.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "TOO_MANY_EMAILS")
