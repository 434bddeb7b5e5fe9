"""Changes and deletion of the caller's own account."""

from functools import partial

import grpc
import pytest

from tests.integration.auth_service.auth_server import NEW_PASSWORD, PASSWORD, code_and_reason
from tests.support.grpc_calls import refused, until_refused

NOT_FOUND = (grpc.StatusCode.NOT_FOUND, "USER_NOT_FOUND")


@pytest.fixture
async def admin(auth_server):
    return await auth_server.create_admin()


@pytest.mark.parametrize("email", ["strasse@example.com", "STRASSE@example.com", "Straße@example.com"])
async def test_respelt_email_needs_the_password(auth_server, email):
    """An email that differs only in its spelling may be another mailbox, so the change needs the password."""
    await auth_server.register(email="straße@example.com")
    token = (await auth_server.login("straße@example.com")).access_token
    status = await refused(auth_server.update_me(token, email=email))
    assert [(violation.field, violation.reason) for violation in status.violations] == [
        ("current_password", "MISSING_FIELD")
    ]
    assert (await auth_server.me(token)).email == "straße@example.com"
    assert (await auth_server.update_me(token, email=email, current_password=PASSWORD)).email == email
    # An unchanged email needs no password, so a form may send every field back.
    assert (await auth_server.update_me(token, email=email, username="Sonu")).username == "Sonu"


async def test_user_changes_own_username_and_email(auth_server):
    """A new email needs the current password; a new username does not."""
    await auth_server.register("mona")
    await auth_server.register()
    token = (await auth_server.login()).access_token
    assert (await auth_server.update_me(token, username="Sonu2")).username == "Sonu2"
    assert (await refused(auth_server.update_me(token, email="new@example.com"))).violations[
        0
    ].field == "current_password"
    status = await refused(auth_server.update_me(token, email="new@example.com", current_password="wrong"))
    assert status.reason == "WRONG_CURRENT_PASSWORD"
    changed = await auth_server.update_me(token, email="new@example.com", current_password=PASSWORD)
    assert (changed.username, changed.email) == ("Sonu2", "new@example.com")
    assert await auth_server.me(token) == changed
    assert (await auth_server.login("new@example.com")).access_token
    assert (await code_and_reason(auth_server.update_me(token, username="MONA"))) == (
        grpc.StatusCode.ALREADY_EXISTS,
        "USERNAME_TAKEN",
    )
    taken_email = auth_server.update_me(token, email="mona@example.com", current_password=PASSWORD)
    assert (await refused(taken_email)).reason == "EMAIL_TAKEN"
    invalid_fields = await refused(auth_server.update_me(token, username="", email="x"))
    assert [(violation.field, violation.reason) for violation in invalid_fields.violations] == [
        ("username", "MISSING_FIELD"),
        ("email", "INVALID_EMAIL"),
    ]


async def test_deleted_account_leaves_only_its_id(auth_server, admin, database):
    user = await auth_server.register()
    login = await auth_server.login()
    code = await auth_server.reset_code(admin, user.id)
    await auth_server.delete_me(login.access_token)
    stored = database.rows(f"SELECT users::text FROM auth.users WHERE id = '{user.id}'")
    assert len(stored) == 1
    assert "sonu" not in stored[0][0]
    assert await code_and_reason(auth_server.get_user(admin, user.id)) == NOT_FOUND
    assert (await refused(auth_server.login())).reason == "INVALID_CREDENTIALS"
    assert (await refused(auth_server.refresh(login.refresh_token))).reason == "INVALID_REFRESH_TOKEN"
    assert (await refused(auth_server.reset_password(code, NEW_PASSWORD))).reason == "INVALID_RESET_CODE"
    assert (await until_refused(lambda: auth_server.me(login.access_token))).code == grpc.StatusCode.UNAUTHENTICATED
    assert [user.username for user in (await auth_server.list_users(admin)).users] == ["ada"]
    # The username is free again, for a new account.
    assert (await auth_server.register()).id != user.id


@pytest.mark.parametrize("email", ["new@example.com", "Sonu@example.com"])
async def test_email_change_ends_other_sessions(auth_server, email):
    """The caller's session and its tokens stay valid. The access tokens of the other sessions are revoked."""
    await auth_server.register()
    others, own = [await auth_server.login() for _ in range(2)], await auth_server.login()
    await auth_server.update_me(own.access_token, email=email, current_password=PASSWORD)
    for other in others:
        assert (await refused(auth_server.refresh(other.refresh_token))).reason == "INVALID_REFRESH_TOKEN"
        assert (await until_refused(partial(auth_server.me, other.access_token))).reason == "TOKEN_REVOKED"
    assert [session.current for session in await auth_server.list_sessions(own.access_token)] == [True]
    assert (await auth_server.update_me(own.access_token, username="sonu2")).email == email
    assert (await auth_server.refresh(own.refresh_token)).access_token


async def test_other_changes_keep_other_sessions(auth_server):
    await auth_server.register()
    other, own = await auth_server.login(), await auth_server.login()
    await auth_server.update_me(own.access_token, username="sonu2", email="sonu@example.com")
    assert (await auth_server.refresh(other.refresh_token)).access_token
