"""Signing keys: creation, encryption, publication and rotation."""

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime

import jwt
import psycopg
import pytest
from taskmanager.auth.v1 import auth_service_pb2

from auth_service.bootstrap import open_use_cases
from auth_service.crypto.cipher import KeyCipher
from auth_service.crypto.signer import Ed25519Signer
from auth_service.domain.errors import RotationUnderway
from tests.integration.auth_service.auth_server import ENCRYPTION_KEY, running_auth_server
from tests.support.grpc_calls import until_accepted, until_refused


def stored_keys(database):
    with psycopg.connect(database.administrator_url) as connection:
        return connection.execute("SELECT kid, public_key, encrypted_private_key FROM auth.signing_keys").fetchall()


def add_key(database, activates, retires=None):
    """Add a key. Its times are Postgres intervals relative to now. Return its kid."""
    key = Ed25519Signer(KeyCipher(ENCRYPTION_KEY)).generate(datetime.now(UTC))
    with psycopg.connect(database.administrator_url) as connection:
        connection.execute(
            """
            INSERT INTO auth.signing_keys (kid, public_key, encrypted_private_key, created_at, activates_at, retires_at)
            VALUES (%s, %s, %s, now(), now() + %s::interval, now() + %s::interval)
            """,
            [key.kid, key.public_key, key.encrypted_private_key, activates, retires],
        )
    return key.kid


async def published_kids(auth_server):
    return [key.kid for key in (await auth_server.auth.GetJwks(auth_service_pb2.GetJwksRequest())).keys]


async def signing_kid(auth_server):
    return jwt.get_unverified_header((await auth_server.login()).access_token)["kid"]


async def test_concurrent_starts_create_one_signing_key(settings, database):
    """Replicas that start at the same time create one key and accept each other's tokens."""
    async with AsyncExitStack() as stack:
        auth_servers = await asyncio.gather(
            *(stack.enter_async_context(running_auth_server(settings)) for _ in range(3))
        )
        assert len(stored_keys(database)) == 1
        await auth_servers[0].register()
        token = (await auth_servers[1].login()).access_token
        assert (await auth_servers[2].me(token)).username == "sonu"


async def test_private_key_is_stored_encrypted(auth_server, database):
    [(kid, public, encrypted)] = stored_keys(database)
    secret = KeyCipher(ENCRYPTION_KEY).decrypt(encrypted, associated_data=kid.encode())
    assert len(secret) == 32
    assert secret not in encrypted
    assert public != secret


async def test_key_is_published_before_it_signs(auth_server, database):
    await auth_server.register()
    [(first, _, _)] = stored_keys(database)
    second = add_key(database, activates="1 hour")
    assert await published_kids(auth_server) == [second, first]
    assert await signing_kid(auth_server) == first


async def test_verifier_fetches_an_unknown_signing_key(auth_server, database):
    """The newest active key signs. A verifier that meets an unknown key id fetches the keys."""
    await auth_server.register()
    old = (await auth_server.login()).access_token
    second = add_key(database, activates="0 seconds")
    token = (await auth_server.login()).access_token
    assert jwt.get_unverified_header(token)["kid"] == second
    # The verifier has not polled since. An unknown key id makes it fetch the keys.
    await until_accepted(lambda: auth_server.me(token))
    assert (await auth_server.me(old)).username == "sonu"


async def rotate(auth_server, **options):
    async with open_use_cases(auth_server.settings) as use_cases:
        return await use_cases.operators.rotate_signing_key(**options)


def advance_time(database, seconds):
    """Move the times of all keys this many seconds into the past."""
    with psycopg.connect(database.administrator_url) as connection:
        connection.execute(
            "UPDATE auth.signing_keys SET activates_at = activates_at - %(past)s::interval,"
            " retires_at = retires_at - %(past)s::interval",
            {"past": f"{seconds} seconds"},
        )


async def test_rotation_publishes_then_signs_then_retires(auth_server, database):
    """A rotation invalidates no token before it expires."""
    await auth_server.register()
    [(first, _, _)] = stored_keys(database)
    login = await auth_server.login()
    second = (await rotate(auth_server)).kid
    # Published; the old key still signs.
    assert await published_kids(auth_server) == [second, first]
    assert await signing_kid(auth_server) == first
    with pytest.raises(RotationUnderway):
        await rotate(auth_server)
    advance_time(database, 60)
    # The new key signs; tokens of the old key stay valid.
    fresh = (await auth_server.login()).access_token
    assert jwt.get_unverified_header(fresh)["kid"] == second
    await until_accepted(lambda: auth_server.me(fresh))
    assert (await auth_server.me(login.access_token)).username == "sonu"
    advance_time(database, 3605)
    # The old key retires after its last token has expired.
    assert await published_kids(auth_server) == [second]
    assert (await until_refused(lambda: auth_server.me(login.access_token))).reason == "UNAUTHENTICATED"
    assert (await auth_server.refresh(login.refresh_token)).access_token


async def test_concurrent_rotations_create_one_key(auth_server, database):
    responses = await asyncio.gather(rotate(auth_server), rotate(auth_server), return_exceptions=True)
    assert sum(isinstance(response, RotationUnderway) for response in responses) == 1
    assert len(stored_keys(database)) == 2


async def test_compromised_key_is_invalid_at_once(auth_server):
    """Tokens of a compromised key are invalid at once. Refresh tokens still work, so nobody has to log in again."""
    await auth_server.register()
    login = await auth_server.login()
    second = (await rotate(auth_server, compromised=True)).kid
    assert await published_kids(auth_server) == [second]
    assert (await until_refused(lambda: auth_server.me(login.access_token))).reason == "UNAUTHENTICATED"
    refreshed = await auth_server.refresh(login.refresh_token)
    assert jwt.get_unverified_header(refreshed.access_token)["kid"] == second
    assert (await until_accepted(lambda: auth_server.me(refreshed.access_token))).username == "sonu"


async def test_retired_key_neither_signs_nor_verifies(auth_server, database):
    await auth_server.register()
    token = (await auth_server.login()).access_token
    [(first, _, _)] = stored_keys(database)
    second = add_key(database, activates="0 seconds")
    with psycopg.connect(database.administrator_url) as connection:
        connection.execute("UPDATE auth.signing_keys SET retires_at = now() WHERE kid = %s", [first])
    assert await published_kids(auth_server) == [second]
    assert await signing_kid(auth_server) == second
    assert (await until_refused(lambda: auth_server.me(token))).reason == "UNAUTHENTICATED"
