"""Exchange of personal access tokens for JWTs, and everything that ends a token."""

import asyncio
import time

import grpc
import jwt
import psycopg
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from taskmanager.auth.v1 import user_pb2, user_service_pb2

from chassis.kernel.personal_tokens import build_personal_token
from chassis.tokens import PERSONAL_TOKEN_TYPE
from tests.integration.auth_service.auth_server import (
    NEW_PASSWORD,
    PASSWORD,
    claims,
    code_and_reason,
    make_settings,
    running_auth_server,
)
from tests.support.grpc_calls import bearer, expect_failure, until_refused
from tests.support.waiting import until

UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
INVALID = (UNAUTHENTICATED, "INVALID_PERSONAL_TOKEN")
EXPIRED = (UNAUTHENTICATED, "PERSONAL_TOKEN_EXPIRED")
REVOKED = (UNAUTHENTICATED, "PERSONAL_TOKEN_REVOKED")
HOLD_REVOCATIONS = """
    CREATE FUNCTION auth.hold() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN PERFORM pg_advisory_xact_lock(4711); RETURN NEW; END';
    CREATE TRIGGER hold BEFORE INSERT ON auth.revocations FOR EACH ROW EXECUTE FUNCTION auth.hold();
"""
WAITS_FOR_LOCK = "SELECT 1 FROM pg_stat_activity WHERE usename = 'auth_app' AND wait_event_type = 'Lock'"


@pytest.fixture
async def session(auth_server):
    """An access token of a person who is logged in."""
    await auth_server.register()
    return (await auth_server.login()).access_token


def rejections(database):
    return database.rows(
        "SELECT details->>'token_id', details->>'reason' FROM auth.security_events"
        " WHERE kind = 'personal_token_rejected' ORDER BY id"
    )


async def test_exchange_returns_a_short_token_of_the_user(auth_server, session):
    created = await auth_server.create_token(session, "account:read", "tasks:read")
    exchanged = await auth_server.exchange(created.token)
    assert (exchanged.token_type, exchanged.expires_in, exchanged.token_id) == ("Bearer", 900, created.id)
    assert list(exchanged.scopes) == ["account:read", "tasks:read"]
    issued, of_session = claims(exchanged.access_token), claims(session)
    assert issued.keys() == {*of_session, "token_scope"}
    assert (issued["sid"], issued["token_scope"]) == (created.id, "account:read tasks:read")
    assert [issued[name] for name in ("sub", "role", "epoch")] == [
        of_session[name] for name in ("sub", "role", "epoch")
    ]
    assert jwt.get_unverified_header(exchanged.access_token)["typ"] == PERSONAL_TOKEN_TYPE
    assert (await auth_server.me(exchanged.access_token)).username == "sonu"
    [listed] = await auth_server.list_tokens(session)
    assert listed.HasField("last_used_at")


async def test_personal_token_is_no_session(auth_server, session):
    """A token with every scope can't create tokens, end sessions, or change the password or the email."""
    scopes = ("tasks:read", "tasks:write", "imports:write", "events:read", "account:read")
    created = await auth_server.create_token(session, *scopes)
    token = (await auth_server.exchange(created.token)).access_token
    for call in (
        auth_server.create_token(token, "tasks:read"),
        auth_server.list_tokens(token),
        auth_server.revoke_token(token, created.id),
        auth_server.change_password(token, PASSWORD, NEW_PASSWORD),
        auth_server.update_me(token, email="other@example.com", current_password=PASSWORD),
        auth_server.list_sessions(token),
        auth_server.logout(token),
        auth_server.delete_me(token),
        auth_server.list_users(token),
    ):
        assert await code_and_reason(call) == (grpc.StatusCode.PERMISSION_DENIED, "TOKEN_NOT_ALLOWED")
    assert await code_and_reason(auth_server.refresh(created.token)) == (UNAUTHENTICATED, "INVALID_REFRESH_TOKEN")


async def test_jwt_does_not_outlive_its_personal_token(auth_server, session):
    expiry = Timestamp(seconds=int(time.time()) + 100)
    created = await auth_server.create_token(session, "tasks:read", expires_at=expiry)
    exchanged = await auth_server.exchange(created.token)
    assert 95 <= exchanged.expires_in <= 100
    assert claims(exchanged.access_token)["exp"] <= expiry.seconds


@pytest.mark.parametrize("token", ["x", "tm_", build_personal_token(bytes(32))[:-1] + "_", "tm_" + "A" * 49])
async def test_mistyped_token_is_refused_without_a_query(auth_server, database, token):
    """The checksum is wrong. The table is gone, so that a query would fail."""
    await database.execute("DROP TABLE auth.personal_tokens")
    assert await code_and_reason(auth_server.exchange(token)) == INVALID


async def test_unknown_and_empty_tokens_are_refused(auth_server):
    assert await code_and_reason(auth_server.exchange(build_personal_token(bytes(32)))) == INVALID
    failure = await expect_failure(auth_server.exchange(""))
    assert (failure.code, failure.violations) == (grpc.StatusCode.INVALID_ARGUMENT, [("token", "MISSING_FIELD")])


async def test_revoked_token_ends_its_access_tokens(auth_server, session, database):
    created, other = [await auth_server.create_token(session, "account:read") for _ in range(2)]
    token, kept = [(await auth_server.exchange(each.token)).access_token for each in (created, other)]
    await auth_server.revoke_token(session, created.id)
    assert await code_and_reason(auth_server.exchange(created.token)) == REVOKED
    assert (await until_refused(lambda: auth_server.me(token))).reason == "TOKEN_REVOKED"
    assert rejections(database) == [(created.id, "revoked")]
    # The other token, and the session, stay.
    await auth_server.me(kept)
    await auth_server.me(session)


async def test_expired_token_is_refused_and_recorded(auth_server, session, database):
    created = await auth_server.create_token(session, "account:read")
    await database.execute("UPDATE auth.personal_tokens SET expires_at = now() + interval '1 second'")
    assert await code_and_reason(auth_server.exchange(created.token)) == EXPIRED
    assert rejections(database) == [(created.id, "expired")]


async def test_rejected_uses_do_not_fill_the_log(auth_server, session, database):
    created = await auth_server.create_token(session, "account:read")
    await auth_server.revoke_token(session, created.id)
    for _ in range(15):
        assert await code_and_reason(auth_server.exchange(created.token)) == REVOKED
    assert len(rejections(database)) == 10


async def test_disabled_account_loses_its_tokens_for_good(auth_server, database):
    """A token does not come back when its account is enabled again."""
    user = await auth_server.register()
    session = (await auth_server.login()).access_token
    created = await auth_server.create_token(session, "account:read")
    token = (await auth_server.exchange(created.token)).access_token
    admin = await auth_server.create_admin()
    await auth_server.update_user(admin, user.id, disabled=True)
    assert await code_and_reason(auth_server.exchange(created.token)) == REVOKED
    assert (await until_refused(lambda: auth_server.lookup(token, "s"))).reason == "TOKEN_REVOKED"
    await auth_server.update_user(admin, user.id, disabled=False)
    assert await code_and_reason(auth_server.exchange(created.token)) == REVOKED
    assert await auth_server.list_tokens((await auth_server.login()).access_token) == []
    [(actor_is_admin,)] = database.rows(
        "SELECT actor_id <> subject_id FROM auth.security_events WHERE kind = 'personal_token_revoked'"
        " AND details->>'token_id' = %s",
        created.id,
    )
    assert actor_is_admin


async def test_disabled_in_the_database_is_disabled(auth_server, session, database):
    """An operator who disables an account by SQL needs no knowledge of tokens."""
    created = await auth_server.create_token(session, "account:read")
    await database.execute("UPDATE auth.users SET disabled = true")
    assert await code_and_reason(auth_server.exchange(created.token)) == REVOKED


async def test_new_role_reaches_the_next_exchange(auth_server):
    user = await auth_server.register()
    created = await auth_server.create_token((await auth_server.login()).access_token, "account:read")
    old = (await auth_server.exchange(created.token)).access_token
    await auth_server.update_user(await auth_server.create_admin(), user.id, role=user_pb2.ROLE_MANAGER)
    new = (await auth_server.exchange(created.token)).access_token
    assert (claims(old)["role"], claims(new)["role"]) == ("user", "manager")
    assert (await until_refused(lambda: auth_server.me(old))).reason == "TOKEN_REVOKED"
    await auth_server.me(new)


@pytest.mark.parametrize("revoke_tokens", [False, True])
async def test_password_change_ends_tokens_on_request(auth_server, session, revoke_tokens):
    created = await auth_server.create_token(session, "account:read")
    changed = await auth_server.change_password(session, PASSWORD, NEW_PASSWORD, revoke_tokens=revoke_tokens)
    if revoke_tokens:
        assert await code_and_reason(auth_server.exchange(created.token)) == REVOKED
        assert await auth_server.list_tokens(changed.access_token) == []
    else:
        await auth_server.me((await auth_server.exchange(created.token)).access_token)


async def test_password_reset_ends_tokens(auth_server):
    """A token that a stranger made must not outlive the recovery of the account."""
    user = await auth_server.register()
    created = await auth_server.create_token((await auth_server.login()).access_token, "account:read")
    token = (await auth_server.exchange(created.token)).access_token
    await auth_server.reset_password(
        await auth_server.reset_code(await auth_server.create_admin(), user.id), NEW_PASSWORD
    )
    assert await code_and_reason(auth_server.exchange(created.token)) == REVOKED
    assert (await until_refused(lambda: auth_server.me(token))).reason == "TOKEN_REVOKED"


async def test_deleted_account_leaves_no_tokens(auth_server, session, database):
    """The names of tokens are personal data, so that the rows go with the account, ended ones included."""
    created, ended = [await auth_server.create_token(session, "account:read") for _ in range(2)]
    await auth_server.revoke_token(session, ended.id)
    token = (await auth_server.exchange(created.token)).access_token
    await auth_server.delete_me(session)
    assert await code_and_reason(auth_server.exchange(created.token)) == INVALID
    assert (await until_refused(lambda: auth_server.lookup(token, "s"))).reason == "TOKEN_REVOKED"
    assert database.rows("SELECT count(*) FROM auth.personal_tokens") == [(0,)]


async def test_last_use_is_written_at_most_once_a_minute(auth_server, session, database):
    created = await auth_server.create_token(session, "account:read")
    await auth_server.exchange(created.token)
    [(first,)] = database.rows("SELECT last_used_at FROM auth.personal_tokens")
    await auth_server.exchange(created.token)
    assert database.rows("SELECT last_used_at FROM auth.personal_tokens") == [(first,)]
    await database.execute("UPDATE auth.personal_tokens SET last_used_at = now() - interval '61 seconds'")
    await auth_server.exchange(created.token)
    [(later,)] = database.rows("SELECT last_used_at FROM auth.personal_tokens")
    assert later >= first


async def test_concurrent_exchanges_of_one_token_succeed(auth_server, session):
    """Several gateways may exchange a token at the same moment."""
    created = await auth_server.create_token(session, "account:read")
    responses = await asyncio.gather(*(auth_server.exchange(created.token) for _ in range(20)))
    assert len({response.access_token for response in responses}) == 20
    assert {response.token_id for response in responses} == {created.id}


async def test_direct_callers_are_limited_by_address(database):
    """A client that calls without a gateway can't try tokens at any speed."""
    async with running_auth_server(make_settings(database.auth_url, public_calls_per_minute=3)) as auth_server:
        reasons = []
        for number in range(4):
            unknown = build_personal_token(number.to_bytes(32))
            reasons.append((await code_and_reason(auth_server.exchange(unknown)))[1])
    assert reasons == [*["INVALID_PERSONAL_TOKEN"] * 3, "TOO_MANY_CALLS"]


async def test_no_exchange_succeeds_after_a_revocation(auth_server, session, database):
    """An exchange that meets a revocation waits for it and then fails, however close the two are."""
    created = await auth_server.create_token(session, "account:read")
    await database.execute(HOLD_REVOCATIONS)
    async with await psycopg.AsyncConnection.connect(database.administrator_url) as blocker:
        await blocker.execute("SELECT pg_advisory_xact_lock(4711)")
        # The revocation holds the lock of the token and waits, uncommitted.
        revoking = asyncio.ensure_future(auth_server.revoke_token(session, created.id))
        await until(lambda: bool(database.rows(WAITS_FOR_LOCK)))
        exchanging = asyncio.ensure_future(auth_server.exchange(created.token))
        await until(lambda: len(database.rows(WAITS_FOR_LOCK)) == 2)
        await blocker.commit()
    await revoking
    assert await code_and_reason(exchanging) == REVOKED


async def test_revocation_outlives_every_access_token(database):
    """A JWT that was issued just before the revocation expires before the record of the revocation does."""
    async with running_auth_server(make_settings(database.auth_url, access_token_seconds=3600)) as auth_server:
        await auth_server.register()
        session = (await auth_server.login()).access_token
        created = await auth_server.create_token(session, "account:read")
        issued = claims((await auth_server.exchange(created.token)).access_token)
        await auth_server.revoke_token(session, created.id)
        [(expires_at,)] = database.rows("SELECT expires_at FROM auth.revocations WHERE session_id = %s", created.id)
        assert expires_at.timestamp() > issued["exp"]


async def test_ended_caller_creates_and_revokes_no_token(auth_server, database, session):
    """The seconds until a revocation is polled are no window for a token that lives for a year."""
    created = await auth_server.create_token(session, "account:read")
    await database.execute("UPDATE auth.sessions SET ended_at = now()")
    gone = (UNAUTHENTICATED, "ACCOUNT_GONE")
    assert await code_and_reason(auth_server.create_token(session, "tasks:read")) == gone
    assert await code_and_reason(auth_server.revoke_token(session, created.id)) == gone


async def test_token_scope_missing_names_the_scopes(auth_server, session):
    created = await auth_server.create_token(session, "imports:write")
    token = (await auth_server.exchange(created.token)).access_token
    request = user_service_pb2.LookupUsersRequest(q="s")
    failure = await expect_failure(auth_server.users.LookupUsers(request, metadata=bearer(token)))
    assert (failure.code, failure.reason) == (grpc.StatusCode.PERMISSION_DENIED, "TOKEN_SCOPE_MISSING")
