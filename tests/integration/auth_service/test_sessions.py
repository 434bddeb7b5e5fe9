"""Sessions: refreshing, listing and ending them."""

import asyncio
import json
from uuid import uuid4

import grpc
import psycopg
import pytest
from taskmanager.auth.v1 import user_service_pb2

from tests.integration.auth_service.auth_server import claims, code_and_reason, make_settings, running_auth_server
from tests.support.grpc_calls import bearer, refused, until_refused
from tests.support.waiting import until

INVALID_REFRESH_TOKEN = (grpc.StatusCode.UNAUTHENTICATED, "INVALID_REFRESH_TOKEN")


def execute(database, statement, *values):
    with psycopg.connect(database.administrator_url) as connection:
        connection.execute(statement, values)


def events(database):
    return [kind for (kind,) in database.rows("SELECT kind FROM auth.security_events ORDER BY id")]


async def test_refresh_returns_new_tokens_of_the_same_session(auth_server):
    user = await auth_server.register()
    login = await auth_server.login()
    refreshed = await auth_server.refresh(login.refresh_token)
    assert (refreshed.user, refreshed.token_type, refreshed.expires_in) == (user, "Bearer", 900)
    assert refreshed.refresh_token != login.refresh_token
    assert claims(refreshed.access_token)["sid"] == claims(login.access_token)["sid"]
    assert (await auth_server.me(refreshed.access_token)) == user
    assert (await auth_server.refresh(refreshed.refresh_token)).access_token


async def test_refreshed_token_has_the_current_role(auth_server, database):
    await auth_server.register()
    login = await auth_server.login()
    execute(database, "UPDATE auth.users SET role = 'manager', epoch = 1")
    refreshed = claims((await auth_server.refresh(login.refresh_token)).access_token)
    assert (refreshed["role"], refreshed["epoch"]) == ("manager", 1)


async def test_reused_refresh_token_ends_the_session(auth_server, database):
    """A spent refresh token ends its session, revokes its access tokens and is recorded. Other sessions stay."""
    await auth_server.register()
    other = await auth_server.login()
    login = await auth_server.login()
    thief_tokens = await auth_server.refresh(login.refresh_token)
    assert await code_and_reason(auth_server.refresh(login.refresh_token)) == INVALID_REFRESH_TOKEN
    assert await code_and_reason(auth_server.refresh(thief_tokens.refresh_token)) == INVALID_REFRESH_TOKEN
    assert (await until_refused(lambda: auth_server.me(thief_tokens.access_token))).reason == "TOKEN_REVOKED"
    assert events(database).count("refresh_token_reused") == 1
    # Another login of the same person is another session.
    assert (await auth_server.refresh(other.refresh_token)).access_token


async def test_concurrent_refreshes_of_one_token_end_the_session(auth_server, database):
    """Of concurrent refreshes with one token, one succeeds; the reuse then ends the session."""
    await auth_server.register()
    login = await auth_server.login()
    responses = await asyncio.gather(
        *(auth_server.refresh(login.refresh_token) for _ in range(10)), return_exceptions=True
    )
    assert sum(not isinstance(response, BaseException) for response in responses) == 1
    # The token was used twice, so the session has ended, and the tokens of the successful call are invalid.
    (winner,) = (response for response in responses if not isinstance(response, BaseException))
    assert await code_and_reason(auth_server.refresh(winner.refresh_token)) == INVALID_REFRESH_TOKEN
    assert events(database).count("refresh_token_reused") == 1


@pytest.mark.parametrize("token", ["x", "A" * 43, "A" * 42 + "=", "A" * 5000, "\0" * 43])
async def test_malformed_refresh_tokens_are_rejected(auth_server, token):
    assert await code_and_reason(auth_server.refresh(token)) == INVALID_REFRESH_TOKEN


async def test_empty_refresh_token_is_a_missing_field(auth_server):
    status = await refused(auth_server.refresh(""))
    assert (status.code, [violation.field for violation in status.violations]) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        ["refresh_token"],
    )


async def test_access_and_refresh_tokens_are_not_exchangeable(auth_server):
    await auth_server.register()
    login = await auth_server.login()
    assert (await refused(auth_server.me(login.refresh_token))).reason == "UNAUTHENTICATED"
    assert await code_and_reason(auth_server.refresh(login.access_token)) == INVALID_REFRESH_TOKEN


async def test_disabled_account_cannot_refresh(auth_server, database):
    await auth_server.register()
    login = await auth_server.login()
    execute(database, "UPDATE auth.users SET disabled = true")
    assert await code_and_reason(auth_server.refresh(login.refresh_token)) == INVALID_REFRESH_TOKEN


async def test_refresh_tokens_are_stored_as_digests(auth_server, database):
    await auth_server.register()
    login = await auth_server.login()
    stored = database.rows("SELECT refresh_tokens::text FROM auth.refresh_tokens")
    assert len(stored) == 1
    assert login.refresh_token not in stored[0][0]
    assert login.refresh_token.encode().hex() not in stored[0][0]


async def test_refresh_does_not_extend_the_session_lifetime(database):
    async with running_auth_server(make_settings(database.auth_url, session_seconds=100)) as auth_server:
        await auth_server.register()
        login = await auth_server.login()
        # Its access token does not outlive the session.
        assert 98 <= login.expires_in <= 100
        refreshed = await auth_server.refresh(login.refresh_token)
        assert refreshed.expires_in <= 100
        [(before, after)] = database.rows("SELECT min(t.expires_at), max(t.expires_at) FROM auth.refresh_tokens t")
        assert before == after
        execute(database, "UPDATE auth.sessions SET expires_at = now()")
        assert await code_and_reason(auth_server.refresh(refreshed.refresh_token)) == INVALID_REFRESH_TOKEN


async def test_idle_session_expires(database):
    async with running_auth_server(make_settings(database.auth_url, session_idle_seconds=100)) as auth_server:
        await auth_server.register()
        login = await auth_server.login()
        execute(database, "UPDATE auth.refresh_tokens SET expires_at = now()")
        assert await code_and_reason(auth_server.refresh(login.refresh_token)) == INVALID_REFRESH_TOKEN


async def test_logout_ends_only_this_session(auth_server, database):
    """A repeated logout is accepted and recorded once."""
    await auth_server.register()
    ended, other = await auth_server.login(), await auth_server.login()
    await asyncio.gather(auth_server.logout(ended.access_token), auth_server.logout(ended.access_token))
    assert await code_and_reason(auth_server.refresh(ended.refresh_token)) == INVALID_REFRESH_TOKEN
    assert (await until_refused(lambda: auth_server.me(ended.access_token))).reason == "TOKEN_REVOKED"
    assert (await auth_server.me(other.access_token)).username == "sonu"
    assert (await auth_server.refresh(other.refresh_token)).access_token
    assert events(database).count("logged_out") == 1


async def test_active_sessions_are_listed_newest_first(auth_server):
    await auth_server.register()
    first, second, third = [await auth_server.login() for _ in range(3)]
    await auth_server.logout(second.access_token)
    sessions = await auth_server.list_sessions(first.access_token)
    assert [(session.id, session.current) for session in sessions] == [
        (claims(third.access_token)["sid"], False),
        (claims(first.access_token)["sid"], True),
    ]
    assert sessions[0].created_at.ToSeconds() <= sessions[0].used_at.ToSeconds() < sessions[0].expires_at.ToSeconds()


async def test_session_page_tokens_belong_to_their_owner(auth_server):
    for name in ("sonu", "mona"):
        await auth_server.register(name)
    logins = [await auth_server.login() for _ in range(3)]
    metadata = bearer(logins[0].access_token)
    first = await auth_server.users.ListSessions(user_service_pb2.ListSessionsRequest(page_size=2), metadata=metadata)
    rest = user_service_pb2.ListSessionsRequest(page_size=2, page_token=first.next_page_token)
    second = await auth_server.users.ListSessions(rest, metadata=metadata)
    assert [session.id for session in (*first.sessions, *second.sessions)] == [
        claims(login.access_token)["sid"] for login in reversed(logins)
    ]
    assert not second.next_page_token
    other = bearer((await auth_server.login("mona@example.com")).access_token)
    assert (await refused(auth_server.users.ListSessions(rest, metadata=other))).reason == "INVALID_PAGE_TOKEN"


async def test_user_revokes_only_own_sessions(auth_server, database):
    await auth_server.register("sonu")
    await auth_server.register("mona")
    own_session, other_device = await auth_server.login(), await auth_server.login()
    other = await auth_server.login("mona@example.com")
    await auth_server.revoke_session(own_session.access_token, claims(other_device.access_token)["sid"])
    assert await code_and_reason(auth_server.refresh(other_device.refresh_token)) == INVALID_REFRESH_TOKEN
    for session_id in (claims(other.access_token)["sid"], claims(other_device.access_token)["sid"], str(uuid4())):
        status = await refused(auth_server.revoke_session(own_session.access_token, session_id))
        assert (status.code, status.reason) == (grpc.StatusCode.NOT_FOUND, "SESSION_NOT_FOUND")
    assert (await refused(auth_server.revoke_session(own_session.access_token, "x"))).reason == "MALFORMED_ID"
    assert (await auth_server.refresh(other.refresh_token)).access_token
    assert events(database).count("session_revoked") == 1


async def test_expired_rows_are_deleted(auth_server, database):
    await auth_server.register()
    await auth_server.logout((await auth_server.login()).access_token)
    active = await auth_server.login()
    execute(database, "UPDATE auth.sessions SET ended_at = now() - interval '1 hour' WHERE ended_at IS NOT NULL")
    execute(database, "UPDATE auth.revocations SET expires_at = now() - interval '1 hour'")
    # A service deletes expired rows when it starts, and every minute.
    remaining = "SELECT (SELECT count(*) FROM auth.revocations), (SELECT count(*) FROM auth.sessions)"
    async with running_auth_server(auth_server.settings):
        await until(lambda: database.rows(remaining) == [(0, 1)])
    assert (await auth_server.refresh(active.refresh_token)).access_token


async def test_stored_events_hold_no_names_and_no_input(auth_server, database):
    await auth_server.register()
    await refused(auth_server.login("sonu@example.com", "canary-one"))
    await refused(auth_server.login("canary-two@example.com", "canary-three"))
    await refused(auth_server.login("canary\x1b[31m", "x"))
    stored = json.dumps(database.rows("SELECT security_events::text FROM auth.security_events"))
    assert "canary" not in stored
    assert "sonu" not in stored
    assert events(database) == ["registered", "login_failed", "login_failed", "login_failed"]
