"""Login, and the access token that it returns."""

import asyncio
import base64

import grpc
import jwt
import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from taskmanager.auth.v1 import auth_service_pb2, user_pb2

from chassis.rpc.errors import read_status
from tests.integration.auth_service.auth_server import PASSWORD, make_settings, running_auth_server
from tests.integration.auth_service.login_attempts import hash_count
from tests.support.grpc_calls import refused


def execute(database, statement, *values):
    with psycopg.connect(database.administrator_url) as connection:
        cursor = connection.execute(statement, values)
        return cursor.fetchall() if cursor.description else None


async def test_login_returns_the_account_and_its_token(auth_server):
    user = await auth_server.register()
    login = await auth_server.login()
    assert (login.token_type, login.expires_in, login.user) == ("Bearer", 900, user)
    assert await auth_server.me(login.access_token) == user


async def test_login_ignores_the_case_of_the_email(auth_server):
    await auth_server.register(email="sonu@example.com")
    assert (await auth_server.login(" Sonu@EXAMPLE.com ")).access_token


async def test_token_has_the_documented_claims_and_header(auth_server, database):
    """The token verifies with a key of the published JWKS."""
    user = await auth_server.register()
    token = (await auth_server.login()).access_token
    [key] = (await auth_server.auth.GetJwks(auth_service_pb2.GetJwksRequest())).keys
    assert (key.kty, key.crv, key.alg, key.use) == ("OKP", "Ed25519", "EdDSA", "sig")
    assert jwt.get_unverified_header(token) == {"alg": "EdDSA", "typ": "at+jwt", "kid": key.kid}

    public_key = Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(key.x + "="))
    claims = jwt.decode(token, public_key, algorithms=["EdDSA"], audience="taskmanager", issuer="taskmanager")
    assert claims.keys() == {"iss", "aud", "sub", "role", "sid", "epoch", "jti", "iat", "exp"}
    assert (claims["sub"], claims["role"], claims["epoch"]) == (user.id, "user", 0)
    assert claims["exp"] - claims["iat"] == 900

    [(session_id, user_id)] = execute(database, "SELECT id::text, user_id::text FROM auth.sessions")
    assert (session_id, user_id) == (claims["sid"], user.id)


async def test_each_login_starts_a_new_session(auth_server):
    await auth_server.register()
    first, second = await auth_server.login(), await auth_server.login()
    sessions = [jwt.decode(login.access_token, options={"verify_signature": False})["sid"] for login in (first, second)]
    assert sessions[0] != sessions[1]


async def test_admin_token_carries_the_role(auth_server, database):
    await auth_server.register()
    execute(database, "UPDATE auth.users SET role = 'admin'")
    login = await auth_server.login()
    assert login.user.role == user_pb2.ROLE_ADMIN
    assert jwt.decode(login.access_token, options={"verify_signature": False})["role"] == "admin"


async def test_failed_logins_are_indistinguishable(auth_server, database):
    """Unknown email, wrong password and disabled account get the same response after the same work."""
    await auth_server.register("sonu")
    await auth_server.register("gone")
    execute(database, "UPDATE auth.users SET disabled = true WHERE username = 'gone'")
    responses, hash_counts = [], []
    for email, password in (
        ("nobody@example.com", PASSWORD),
        ("nul\0@example.com", PASSWORD),
        ("sonu@example.com", "not the password"),
        ("sonu@example.com", PASSWORD + "\0"),
        ("sonu@example.com", ""),
        ("nobody@example.com", ""),
        ("gone@example.com", PASSWORD),
        ("gone@example.com", "not the password"),
    ):
        before = hash_count()
        responses.append(await refused(auth_server.login(email, password)))
        hash_counts.append(hash_count() - before)
    assert len(set(responses)) == 1
    assert (responses[0].code, responses[0].reason) == (grpc.StatusCode.UNAUTHENTICATED, "INVALID_CREDENTIALS")
    assert hash_counts == [1] * len(hash_counts)


async def test_missing_login_fields_are_named_without_hashing(auth_server):
    before = hash_count()
    status = await refused(auth_server.auth.Login(auth_service_pb2.LoginRequest()))
    assert status.code == grpc.StatusCode.INVALID_ARGUMENT
    assert [(violation.field, violation.reason) for violation in status.violations] == [
        ("email", "MISSING_FIELD"),
        ("password", "MISSING_FIELD"),
    ]
    only_email = auth_service_pb2.LoginRequest(email="sonu@example.com")
    assert [violation.field for violation in (await refused(auth_server.auth.Login(only_email))).violations] == [
        "password"
    ]
    assert hash_count() == before


async def test_login_replaces_an_outdated_hash(database):
    async with running_auth_server(make_settings(database.auth_url)) as auth_server:
        await auth_server.register()
    async with running_auth_server(make_settings(database.auth_url, argon2_time_cost=2)) as auth_server:
        await auth_server.login()
        [(password_hash,)] = execute(database, "SELECT password_hash FROM auth.users")
        assert "m=8,t=2,p=1" in password_hash
        await auth_server.login()
        assert execute(database, "SELECT password_hash FROM auth.users") == [(password_hash,)]


async def test_busy_hasher_rejects_with_a_retry_delay(database):
    busy_settings = make_settings(
        database.auth_url, hash_concurrency=1, hash_wait_seconds=0.001, argon2_memory_kib=65_536, argon2_time_cost=3
    )
    async with running_auth_server(busy_settings) as auth_server:
        await auth_server.register()
        responses = await asyncio.gather(*(auth_server.login() for _ in range(8)), return_exceptions=True)
        busy = [response for response in responses if isinstance(response, grpc.aio.AioRpcError)]
        assert 0 < len(busy) < len(responses)
        status = read_status(busy[0])
        assert (status.code, status.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "PASSWORD_CHECKS_BUSY")
        assert status.retry_after_seconds == 1.0
        assert (await auth_server.login()).access_token


async def test_current_user_of_a_removed_account_is_rejected(auth_server, database):
    await auth_server.register()
    token = (await auth_server.login()).access_token
    execute(database, "UPDATE auth.users SET disabled = true")
    assert (await refused(auth_server.me(token))).code == grpc.StatusCode.UNAUTHENTICATED
    execute(database, "DELETE FROM auth.users")
    status = await refused(auth_server.me(token))
    assert (status.code, status.reason) == (grpc.StatusCode.UNAUTHENTICATED, "ACCOUNT_GONE")


async def test_calls_beyond_the_limit_are_rejected(database):
    async with running_auth_server(
        make_settings(database.auth_url, max_concurrent_calls=1, argon2_memory_kib=65_536)
    ) as auth_server:
        logins = await asyncio.gather(*(auth_server.login() for _ in range(5)), return_exceptions=True)
        reasons = [read_status(login).reason for login in logins if isinstance(login, grpc.aio.AioRpcError)]
        assert sorted(set(reasons)) == ["INVALID_CREDENTIALS", "OVERLOADED"]
