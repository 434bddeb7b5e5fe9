"""Login, and the token that comes of it."""

import asyncio
import base64

import grpc
import jwt
import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from prometheus_client import REGISTRY
from taskmanager.auth.v1 import auth_service_pb2, user_pb2

from chassis.rpc.errors import read_status
from tests.support.grpc_calls import refused
from tests.integration.auth_service.door import PASSWORD, opened, settings_for


def hashes() -> float:
    return REGISTRY.get_sample_value("auth_password_hashes_total") or 0


def execute(database, statement, *values):
    with psycopg.connect(database.administrator_url) as connection:
        cursor = connection.execute(statement, values)
        return cursor.fetchall() if cursor.description else None


async def test_a_login_answers_the_account_and_a_token_that_speaks_for_it(door):
    user = await door.register()
    login = await door.login()
    assert (login.token_type, login.expires_in, login.user) == ("Bearer", 900, user)
    assert await door.me(login.access_token) == user


async def test_the_email_may_be_spelt_in_any_letter_case(door):
    await door.register(email="sonu@example.com")
    assert (await door.login(" Sonu@EXAMPLE.com ")).access_token


async def test_the_token_says_what_the_design_promises_under_a_key_of_the_published_set(door, database):
    user = await door.register()
    token = (await door.login()).access_token
    [key] = (await door.auth.GetJwks(auth_service_pb2.GetJwksRequest())).keys
    assert (key.kty, key.crv, key.alg, key.use) == ("OKP", "Ed25519", "EdDSA", "sig")
    assert jwt.get_unverified_header(token) == {"alg": "EdDSA", "typ": "at+jwt", "kid": key.kid}

    public = Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(key.x + "="))
    claims = jwt.decode(token, public, algorithms=["EdDSA"], audience="taskmanager", issuer="taskmanager")
    assert claims.keys() == {"iss", "aud", "sub", "role", "sid", "epoch", "jti", "iat", "exp"}
    assert (claims["sub"], claims["role"], claims["epoch"]) == (user.id, "user", 0)
    assert claims["exp"] - claims["iat"] == 900

    [(session, owner)] = execute(database, "SELECT id::text, user_id::text FROM auth.sessions")
    assert (session, owner) == (claims["sid"], user.id)


async def test_each_login_is_a_session_of_its_own(door):
    await door.register()
    first, second = await door.login(), await door.login()
    sessions = [jwt.decode(login.access_token, options={"verify_signature": False})["sid"] for login in (first, second)]
    assert sessions[0] != sessions[1]


async def test_an_admins_token_says_so(door, database):
    await door.register()
    execute(database, "UPDATE auth.users SET role = 'admin'")
    login = await door.login()
    assert login.user.role == user_pb2.ROLE_ADMIN
    assert jwt.decode(login.access_token, options={"verify_signature": False})["role"] == "admin"


async def test_a_stranger_a_wrong_password_and_a_disabled_account_get_one_answer_after_the_same_work(door, database):
    await door.register("sonu")
    await door.register("gone")
    execute(database, "UPDATE auth.users SET disabled = true WHERE username = 'gone'")
    answers, work = [], []
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
        before = hashes()
        answers.append(await refused(door.login(email, password)))
        work.append(hashes() - before)
    assert len(set(answers)) == 1
    assert (answers[0].code, answers[0].reason) == (grpc.StatusCode.UNAUTHENTICATED, "INVALID_CREDENTIALS")
    assert work == [1] * len(work)


async def test_what_is_missing_is_named_and_costs_nothing(door):
    before = hashes()
    status = await refused(door.auth.Login(auth_service_pb2.LoginRequest()))
    assert status.code == grpc.StatusCode.INVALID_ARGUMENT
    assert [(violation.field, violation.reason) for violation in status.violations] == [
        ("email", "MISSING_FIELD"),
        ("password", "MISSING_FIELD"),
    ]
    only_email = auth_service_pb2.LoginRequest(email="sonu@example.com")
    assert [violation.field for violation in (await refused(door.auth.Login(only_email))).violations] == ["password"]
    assert hashes() == before


async def test_a_hash_of_weaker_settings_is_replaced_at_the_next_login(database):
    async with opened(settings_for(database.auth_url)) as door:
        await door.register()
    async with opened(settings_for(database.auth_url, argon2_time_cost=2)) as door:
        await door.login()
        [(password_hash,)] = execute(database, "SELECT password_hash FROM auth.users")
        assert "m=8,t=2,p=1" in password_hash
        await door.login()
        assert execute(database, "SELECT password_hash FROM auth.users") == [(password_hash,)]


async def test_more_passwords_than_can_be_checked_are_told_to_come_back(database):
    narrow = settings_for(
        database.auth_url, hash_concurrency=1, hash_wait_seconds=0.001, argon2_memory_kib=65_536, argon2_time_cost=3
    )
    async with opened(narrow) as door:
        await door.register()
        answers = await asyncio.gather(*(door.login() for _ in range(8)), return_exceptions=True)
        busy = [answer for answer in answers if isinstance(answer, grpc.aio.AioRpcError)]
        assert 0 < len(busy) < len(answers)
        status = read_status(busy[0])
        assert (status.code, status.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "PASSWORD_CHECKS_BUSY")
        assert status.retry_after == 1.0
        assert (await door.login()).access_token


async def test_the_current_user_is_gone_when_the_account_is(door, database):
    await door.register()
    token = (await door.login()).access_token
    execute(database, "UPDATE auth.users SET disabled = true")
    assert (await refused(door.me(token))).code == grpc.StatusCode.UNAUTHENTICATED
    execute(database, "DELETE FROM auth.users")
    status = await refused(door.me(token))
    assert (status.code, status.reason) == (grpc.StatusCode.UNAUTHENTICATED, "ACCOUNT_GONE")


async def test_more_calls_at_once_than_the_setting_allows_are_told_to_come_back(database):
    async with opened(settings_for(database.auth_url, max_concurrent_calls=1, argon2_memory_kib=65_536)) as door:
        logins = await asyncio.gather(*(door.login() for _ in range(5)), return_exceptions=True)
        reasons = [read_status(login).reason for login in logins if isinstance(login, grpc.aio.AioRpcError)]
        assert sorted(set(reasons)) == ["INVALID_CREDENTIALS", "OVERLOADED"]
