"""Changes of the caller's password."""

import asyncio
from functools import partial

import grpc

from tests.integration.auth_service.auth_server import NEW_PASSWORD, PASSWORD, claims, code_and_reason
from tests.support.grpc_calls import refused, until_refused

INVALID_REFRESH_TOKEN = (grpc.StatusCode.UNAUTHENTICATED, "INVALID_REFRESH_TOKEN")


def events(database):
    return [kind for (kind,) in database.rows("SELECT kind FROM auth.security_events ORDER BY id")]


async def test_password_change_ends_other_sessions(auth_server, database):
    """The caller's session gets new tokens; its old tokens and the other sessions are revoked."""
    await auth_server.register()
    other_session, own_session = await auth_server.login(), await auth_server.login()
    changed = await auth_server.change_password(own_session.access_token, PASSWORD, NEW_PASSWORD)
    assert claims(changed.access_token)["sid"] == claims(own_session.access_token)["sid"]
    assert claims(changed.access_token)["epoch"] == claims(own_session.access_token)["epoch"] + 1
    assert await code_and_reason(auth_server.refresh(other_session.refresh_token)) == INVALID_REFRESH_TOKEN
    for old in (other_session, own_session):
        assert (await until_refused(partial(auth_server.me, old.access_token))).reason == "TOKEN_REVOKED"
    assert (await auth_server.me(changed.access_token)).username == "sonu"
    assert (await refused(auth_server.login(password=PASSWORD))).reason == "INVALID_CREDENTIALS"
    assert (await auth_server.login(password=NEW_PASSWORD)).access_token
    refreshed = await auth_server.refresh(changed.refresh_token)
    assert (await auth_server.me(refreshed.access_token)).username == "sonu"
    assert "password_changed" in events(database)


async def test_password_change_needs_the_current_password(auth_server, database):
    await auth_server.register()
    token = (await auth_server.login()).access_token
    for current, new, expected in [
        ("not the one", NEW_PASSWORD, [("current_password", "WRONG_CURRENT_PASSWORD")]),
        (PASSWORD, "short", [("new_password", "PASSWORD_TOO_SHORT")]),
        (PASSWORD, "sonu@example.com", [("new_password", "PASSWORD_REPEATS_ACCOUNT")]),
        ("", "", [("current_password", "MISSING_FIELD"), ("new_password", "MISSING_FIELD")]),
    ]:
        status = await refused(auth_server.change_password(token, current, new))
        assert status.code == grpc.StatusCode.INVALID_ARGUMENT
        assert [(violation.field, violation.reason) for violation in status.violations] == expected
    assert (await auth_server.login()).access_token
    assert events(database).count("reauthentication_failed") == 1


async def test_one_concurrent_password_change_succeeds(auth_server):
    await auth_server.register()
    token = (await auth_server.login()).access_token
    responses = await asyncio.gather(
        *(auth_server.change_password(token, PASSWORD, f"{NEW_PASSWORD} {number}") for number in range(4)),
        return_exceptions=True,
    )
    assert sum(not isinstance(response, BaseException) for response in responses) == 1


async def test_password_change_ends_concurrent_logins(auth_server):
    """A login with the old password does not survive a concurrent change of the password."""
    await auth_server.register()
    token = (await auth_server.login()).access_token
    change, *logins = await asyncio.gather(
        auth_server.change_password(token, PASSWORD, NEW_PASSWORD),
        *(auth_server.login() for _ in range(6)),
        return_exceptions=True,
    )
    assert not isinstance(change, BaseException)
    for login in logins:
        if not isinstance(login, BaseException):
            assert await code_and_reason(auth_server.refresh(login.refresh_token)) == INVALID_REFRESH_TOKEN
