"""Signing keys: one is made, encrypted, and each signs and is believed in its time."""

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime

import jwt
import psycopg
import pytest
from taskmanager.auth.v1 import auth_service_pb2

from auth_service.bootstrap import assembled
from auth_service.crypto.cipher import KeyCipher
from auth_service.crypto.signer import Ed25519Signer
from auth_service.domain.errors import RotationUnderway
from tests.integration.auth_service.door import ENCRYPTION_KEY, opened
from tests.support.grpc_calls import until_accepted, until_refused


def keys(database):
    with psycopg.connect(database.administrator_url) as connection:
        return connection.execute("SELECT kid, public_key, sealed_private_key FROM auth.signing_keys").fetchall()


def add_key(database, activates, retires=None):
    """A second key, with its times relative to now as Postgres reads intervals."""
    key = Ed25519Signer(KeyCipher(ENCRYPTION_KEY)).generate(datetime.now(UTC))
    with psycopg.connect(database.administrator_url) as connection:
        connection.execute(
            """
            INSERT INTO auth.signing_keys (kid, public_key, sealed_private_key, created_at, activates_at, retires_at)
            VALUES (%s, %s, %s, now(), now() + %s::interval, now() + %s::interval)
            """,
            [key.kid, key.public_key, key.sealed_private_key, activates, retires],
        )
    return key.kid


async def published(door):
    return [key.kid for key in (await door.auth.GetJwks(auth_service_pb2.GetJwksRequest())).keys]


async def signing(door):
    return jwt.get_unverified_header((await door.login()).access_token)["kid"]


async def test_services_that_start_at_once_make_one_key_and_believe_each_others_tokens(settings, database):
    async with AsyncExitStack() as stack:
        doors = await asyncio.gather(*(stack.enter_async_context(opened(settings)) for _ in range(3)))
        assert len(keys(database)) == 1
        await doors[0].register()
        token = (await doors[1].login()).access_token
        assert (await doors[2].me(token)).username == "sonu"


async def test_the_private_key_is_not_in_the_database_in_the_clear(door, database):
    [(kid, public, sealed)] = keys(database)
    secret = KeyCipher(ENCRYPTION_KEY).open(sealed, context=kid.encode())
    assert len(secret) == 32
    assert secret not in sealed
    assert public != secret


async def test_a_key_is_published_before_it_signs(door, database):
    await door.register()
    [(first, _, _)] = keys(database)
    second = add_key(database, activates="1 hour")
    assert await published(door) == [second, first]
    assert await signing(door) == first


async def test_the_newest_key_that_has_begun_signs_and_verifiers_find_out(door, database):
    await door.register()
    old = (await door.login()).access_token
    second = add_key(database, activates="0 seconds")
    token = (await door.login()).access_token
    assert jwt.get_unverified_header(token)["kid"] == second
    # The verifier has not polled since: meeting a key it does not know makes it ask.
    await until_accepted(lambda: door.me(token))
    assert (await door.me(old)).username == "sonu"


async def rotate(door, **how):
    async with assembled(door.settings) as use_cases:
        return await use_cases.rotate_keys(**how)


def pass_time(database, seconds):
    """What was to be in so many seconds is now."""
    with psycopg.connect(database.administrator_url) as connection:
        connection.execute(
            "UPDATE auth.signing_keys SET activates_at = activates_at - %(past)s::interval,"
            " retires_at = retires_at - %(past)s::interval",
            {"past": f"{seconds} seconds"},
        )


async def test_a_rotation_publishes_then_signs_then_retires_and_no_token_is_lost(door, database):
    await door.register()
    [(first, _, _)] = keys(database)
    login = await door.login()
    second = (await rotate(door)).kid
    # Published; the old one still signs.
    assert await published(door) == [second, first]
    assert await signing(door) == first
    with pytest.raises(RotationUnderway):
        await rotate(door)
    pass_time(database, 60)
    # Signs; what the old one signed is good.
    fresh = (await door.login()).access_token
    assert jwt.get_unverified_header(fresh)["kid"] == second
    await until_accepted(lambda: door.me(fresh))
    assert (await door.me(login.access_token)).username == "sonu"
    pass_time(database, 3605)
    # Retired, when no token of it can live any more.
    assert await published(door) == [second]
    assert (await until_refused(lambda: door.me(login.access_token))).reason == "UNAUTHENTICATED"
    assert (await door.refresh(login.refresh_token)).access_token


async def test_two_rotations_at_once_make_one_key(door, database):
    answers = await asyncio.gather(rotate(door), rotate(door), return_exceptions=True)
    assert sum(isinstance(answer, RotationUnderway) for answer in answers) == 1
    assert len(keys(database)) == 2


async def test_a_compromised_key_is_believed_no_longer_and_nobody_has_to_log_in_again(door):
    await door.register()
    login = await door.login()
    second = (await rotate(door, compromised=True)).kid
    assert await published(door) == [second]
    assert (await until_refused(lambda: door.me(login.access_token))).reason == "UNAUTHENTICATED"
    refreshed = await door.refresh(login.refresh_token)
    assert jwt.get_unverified_header(refreshed.access_token)["kid"] == second
    assert (await until_accepted(lambda: door.me(refreshed.access_token))).username == "sonu"


async def test_a_retired_key_is_neither_published_nor_used_nor_believed(door, database):
    await door.register()
    token = (await door.login()).access_token
    [(first, _, _)] = keys(database)
    second = add_key(database, activates="0 seconds")
    with psycopg.connect(database.administrator_url) as connection:
        connection.execute("UPDATE auth.signing_keys SET retires_at = now() WHERE kid = %s", [first])
    assert await published(door) == [second]
    assert await signing(door) == second
    assert (await until_refused(lambda: door.me(token))).reason == "UNAUTHENTICATED"
