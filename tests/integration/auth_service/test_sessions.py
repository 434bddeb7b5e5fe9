"""Sessions: prolonged by tokens that are good once, seen and ended by whom they belong to."""

import asyncio
import json
from functools import partial
from uuid import uuid4

import grpc
import psycopg
import pytest
from taskmanager.auth.v1 import user_service_pb2

from tests.integration.auth_service.door import PASSWORD, claims, opened, settings_for
from tests.support.grpc_calls import bearer, refused, until_refused
from tests.support.waiting import until

OTHER = "another horse"
NOT_GOOD = (grpc.StatusCode.UNAUTHENTICATED, "INVALID_REFRESH_TOKEN")


def execute(database, statement, *values):
    with psycopg.connect(database.administrator_url) as connection:
        connection.execute(statement, values)


def events(database):
    return [kind for (kind,) in database.rows("SELECT kind FROM auth.security_events ORDER BY id")]


async def answer_to(call):
    status = await refused(call)
    return status.code, status.reason


async def test_a_refresh_answers_new_tokens_of_the_same_session(door):
    user = await door.register()
    login = await door.login()
    refreshed = await door.refresh(login.refresh_token)
    assert (refreshed.user, refreshed.token_type, refreshed.expires_in) == (user, "Bearer", 900)
    assert refreshed.refresh_token != login.refresh_token
    assert claims(refreshed.access_token)["sid"] == claims(login.access_token)["sid"]
    assert (await door.me(refreshed.access_token)) == user
    assert (await door.refresh(refreshed.refresh_token)).access_token


async def test_a_refresh_answers_the_role_that_the_account_has_by_now(door, database):
    await door.register()
    login = await door.login()
    execute(database, "UPDATE auth.users SET role = 'manager', epoch = 1")
    refreshed = claims((await door.refresh(login.refresh_token)).access_token)
    assert (refreshed["role"], refreshed["epoch"]) == ("manager", 1)


async def test_a_spent_refresh_token_ends_the_family_everywhere_and_is_written_down(door, database):
    await door.register()
    other = await door.login()
    stolen = await door.login()
    thief = await door.refresh(stolen.refresh_token)
    assert await answer_to(door.refresh(stolen.refresh_token)) == NOT_GOOD
    assert await answer_to(door.refresh(thief.refresh_token)) == NOT_GOOD
    assert (await until_refused(lambda: door.me(thief.access_token))).reason == "TOKEN_REVOKED"
    assert events(database).count("refresh_token_reused") == 1
    # Another login of the same person is another family.
    assert (await door.refresh(other.refresh_token)).access_token


async def test_of_many_refreshes_of_one_token_at_once_exactly_one_wins(door, database):
    await door.register()
    login = await door.login()
    answers = await asyncio.gather(*(door.refresh(login.refresh_token) for _ in range(10)), return_exceptions=True)
    assert sum(not isinstance(answer, BaseException) for answer in answers) == 1
    # Two hold the token: the family is dead, the winner's tokens too.
    (winner,) = (answer for answer in answers if not isinstance(answer, BaseException))
    assert await answer_to(door.refresh(winner.refresh_token)) == NOT_GOOD
    assert events(database).count("refresh_token_reused") == 1


@pytest.mark.parametrize("token", ["x", "A" * 43, "A" * 42 + "=", "A" * 5000, "\0" * 43])
async def test_what_is_no_refresh_token_is_refused_like_a_spent_one(door, token):
    assert await answer_to(door.refresh(token)) == NOT_GOOD


async def test_no_refresh_token_is_a_missing_field(door):
    status = await refused(door.refresh(""))
    assert (status.code, [one.field for one in status.violations]) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        ["refresh_token"],
    )


async def test_neither_kind_of_token_passes_for_the_other(door):
    await door.register()
    login = await door.login()
    assert (await refused(door.me(login.refresh_token))).reason == "UNAUTHENTICATED"
    assert await answer_to(door.refresh(login.access_token)) == NOT_GOOD


async def test_a_disabled_account_refreshes_nothing(door, database):
    await door.register()
    login = await door.login()
    execute(database, "UPDATE auth.users SET disabled = true")
    assert await answer_to(door.refresh(login.refresh_token)) == NOT_GOOD


async def test_refresh_tokens_are_stored_as_digests_only(door, database):
    await door.register()
    login = await door.login()
    stored = database.rows("SELECT refresh_tokens::text FROM auth.refresh_tokens")
    assert len(stored) == 1
    assert login.refresh_token not in stored[0][0]
    assert login.refresh_token.encode().hex() not in stored[0][0]


async def test_no_refresh_carries_a_session_beyond_its_absolute_end(database):
    async with opened(settings_for(database.auth_url, session_seconds=100)) as door:
        await door.register()
        login = await door.login()
        # Its access token does not outlive it either.
        assert 98 <= login.expires_in <= 100
        refreshed = await door.refresh(login.refresh_token)
        assert refreshed.expires_in <= 100
        [(before, after)] = database.rows("SELECT min(t.expires_at), max(t.expires_at) FROM auth.refresh_tokens t")
        assert before == after
        execute(database, "UPDATE auth.sessions SET expires_at = now()")
        assert await answer_to(door.refresh(refreshed.refresh_token)) == NOT_GOOD


async def test_a_session_that_is_not_used_for_long_ends(database):
    async with opened(settings_for(database.auth_url, session_idle_seconds=100)) as door:
        await door.register()
        login = await door.login()
        execute(database, "UPDATE auth.refresh_tokens SET expires_at = now()")
        assert await answer_to(door.refresh(login.refresh_token)) == NOT_GOOD


async def test_logout_ends_this_session_and_no_other_and_may_be_repeated(door, database):
    await door.register()
    ended, other = await door.login(), await door.login()
    await asyncio.gather(door.logout(ended.access_token), door.logout(ended.access_token))
    assert await answer_to(door.refresh(ended.refresh_token)) == NOT_GOOD
    assert (await until_refused(lambda: door.me(ended.access_token))).reason == "TOKEN_REVOKED"
    assert (await door.me(other.access_token)).username == "sonu"
    assert (await door.refresh(other.refresh_token)).access_token
    assert events(database).count("logged_out") == 1


async def test_my_sessions_are_listed_newest_first_and_ended_ones_are_not(door):
    await door.register()
    first, second, third = [await door.login() for _ in range(3)]
    await door.logout(second.access_token)
    found = await door.sessions(first.access_token)
    assert [(session.id, session.current) for session in found] == [
        (claims(third.access_token)["sid"], False),
        (claims(first.access_token)["sid"], True),
    ]
    assert found[0].created_at.ToSeconds() <= found[0].used_at.ToSeconds() < found[0].expires_at.ToSeconds()


async def test_sessions_come_in_pages_and_a_page_token_is_its_owners(door):
    for name in ("sonu", "mona"):
        await door.register(name)
    logins = [await door.login() for _ in range(3)]
    metadata = bearer(logins[0].access_token)
    first = await door.users.ListSessions(user_service_pb2.ListSessionsRequest(page_size=2), metadata=metadata)
    rest = user_service_pb2.ListSessionsRequest(page_size=2, page_token=first.next_page_token)
    second = await door.users.ListSessions(rest, metadata=metadata)
    assert [session.id for session in (*first.sessions, *second.sessions)] == [
        claims(login.access_token)["sid"] for login in reversed(logins)
    ]
    assert not second.next_page_token
    other = bearer((await door.login("mona@example.com")).access_token)
    assert (await refused(door.users.ListSessions(rest, metadata=other))).reason == "INVALID_PAGE_TOKEN"


async def test_i_end_my_own_sessions_and_anothers_are_not_there(door, database):
    await door.register("sonu")
    await door.register("mona")
    mine, far = await door.login(), await door.login()
    other = await door.login("mona@example.com")
    await door.revoke_session(mine.access_token, claims(far.access_token)["sid"])
    assert await answer_to(door.refresh(far.refresh_token)) == NOT_GOOD
    for session_id in (claims(other.access_token)["sid"], claims(far.access_token)["sid"], str(uuid4())):
        status = await refused(door.revoke_session(mine.access_token, session_id))
        assert (status.code, status.reason) == (grpc.StatusCode.NOT_FOUND, "SESSION_NOT_FOUND")
    assert (await refused(door.revoke_session(mine.access_token, "x"))).reason == "MALFORMED_ID"
    assert (await door.refresh(other.refresh_token)).access_token
    assert events(database).count("session_revoked") == 1


async def test_a_changed_password_ends_the_other_sessions_and_reissues_this_one(door, database):
    await door.register()
    other, mine = await door.login(), await door.login()
    changed = await door.change_password(mine.access_token, PASSWORD, OTHER)
    assert claims(changed.access_token)["sid"] == claims(mine.access_token)["sid"]
    assert claims(changed.access_token)["epoch"] == claims(mine.access_token)["epoch"] + 1
    assert await answer_to(door.refresh(other.refresh_token)) == NOT_GOOD
    for old in (other, mine):
        assert (await until_refused(partial(door.me, old.access_token))).reason == "TOKEN_REVOKED"
    assert (await door.me(changed.access_token)).username == "sonu"
    assert (await refused(door.login(password=PASSWORD))).reason == "INVALID_CREDENTIALS"
    assert (await door.login(password=OTHER)).access_token
    again = await door.refresh(changed.refresh_token)
    assert (await door.me(again.access_token)).username == "sonu"
    assert "password_changed" in events(database)


async def test_a_password_is_not_changed_without_the_current_one(door, database):
    await door.register()
    token = (await door.login()).access_token
    for current, new, expected in [
        ("not the one", OTHER, [("current_password", "WRONG_CURRENT_PASSWORD")]),
        (PASSWORD, "short", [("new_password", "PASSWORD_TOO_SHORT")]),
        (PASSWORD, "sonu@example.com", [("new_password", "PASSWORD_REPEATS_ACCOUNT")]),
        ("", "", [("current_password", "MISSING_FIELD"), ("new_password", "MISSING_FIELD")]),
    ]:
        status = await refused(door.change_password(token, current, new))
        assert status.code == grpc.StatusCode.INVALID_ARGUMENT
        assert [(one.field, one.reason) for one in status.violations] == expected
    assert (await door.login()).access_token
    assert events(database).count("password_refused") == 1


async def test_of_two_changes_of_a_password_at_once_one_wins(door):
    await door.register()
    token = (await door.login()).access_token
    answers = await asyncio.gather(
        *(door.change_password(token, PASSWORD, f"{OTHER} {number}") for number in range(4)), return_exceptions=True
    )
    assert sum(not isinstance(answer, BaseException) for answer in answers) == 1


async def test_a_login_with_the_old_password_never_survives_the_change_of_it(door):
    await door.register()
    token = (await door.login()).access_token
    change, *logins = await asyncio.gather(
        door.change_password(token, PASSWORD, OTHER),
        *(door.login() for _ in range(6)),
        return_exceptions=True,
    )
    assert not isinstance(change, BaseException)
    for login in logins:
        if not isinstance(login, BaseException):
            assert await answer_to(door.refresh(login.refresh_token)) == NOT_GOOD


async def test_what_has_come_to_its_end_is_swept(door, database):
    await door.register()
    await door.logout((await door.login()).access_token)
    kept = await door.login()
    execute(database, "UPDATE auth.sessions SET ended_at = now() - interval '1 hour' WHERE ended_at IS NOT NULL")
    execute(database, "UPDATE auth.revocations SET expires_at = now() - interval '1 hour'")
    # A service sweeps when it starts, and every minute.
    left = "SELECT (SELECT count(*) FROM auth.revocations), (SELECT count(*) FROM auth.sessions)"
    async with opened(door.settings):
        await until(lambda: database.rows(left) == [(0, 1)])
    assert (await door.refresh(kept.refresh_token)).access_token


async def test_events_name_no_one_and_hold_nothing_that_was_typed(door, database):
    await door.register()
    await refused(door.login("sonu@example.com", "canary-one"))
    await refused(door.login("canary-two@example.com", "canary-three"))
    await refused(door.login("canary\x1b[31m", "x"))
    stored = json.dumps(database.rows("SELECT security_events::text FROM auth.security_events"))
    assert "canary" not in stored
    assert "sonu" not in stored
    assert events(database) == ["registered", "login_refused", "login_refused", "login_refused"]
