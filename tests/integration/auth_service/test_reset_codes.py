"""Reset codes: one use, and the reasons why a code becomes void."""

import asyncio

import grpc
import psycopg
import pytest
from taskmanager.auth.v1 import user_pb2

from tests.integration.auth_service.auth_server import NEW_PASSWORD, PASSWORD, code_and_reason
from tests.support.grpc_calls import refused

INVALID_RESET_CODE = (grpc.StatusCode.UNAUTHENTICATED, "INVALID_RESET_CODE")


@pytest.fixture
async def admin(auth_server):
    return await auth_server.create_admin()


async def test_reset_code_works_once_and_ends_sessions(auth_server, admin, database):
    user = await auth_server.register()
    login = await auth_server.login()
    replaced_code = await auth_server.reset_code(admin, user.id)
    code = await auth_server.reset_code(admin, user.id)
    # A code alone changes nothing.
    assert (await auth_server.me(login.access_token)).username == "sonu"
    assert (await refused(auth_server.reset_password(replaced_code, NEW_PASSWORD))).reason == "INVALID_RESET_CODE"
    short = await refused(auth_server.reset_password(code, "short"))
    assert [(violation.field, violation.reason) for violation in short.violations] == [
        ("new_password", "PASSWORD_TOO_SHORT")
    ]
    responses = await asyncio.gather(
        *(auth_server.reset_password(code, NEW_PASSWORD) for _ in range(5)), return_exceptions=True
    )
    assert sum(not isinstance(response, BaseException) for response in responses) == 1
    assert (await refused(auth_server.reset_password(code, NEW_PASSWORD))).reason == "INVALID_RESET_CODE"
    assert (await refused(auth_server.login())).reason == "INVALID_CREDENTIALS"
    assert (await refused(auth_server.refresh(login.refresh_token))).reason == "INVALID_REFRESH_TOKEN"
    assert (await auth_server.login(password=NEW_PASSWORD)).access_token
    assert code not in str(database.rows("SELECT security_events::text FROM auth.security_events"))


async def test_reset_code_expires_and_is_voided_by_a_change(auth_server, admin, database):
    """A reset code expires, and a changed password voids it."""
    user = await auth_server.register()
    code = await auth_server.reset_code(admin, user.id)
    with psycopg.connect(database.administrator_url) as connection:
        connection.execute("UPDATE auth.password_resets SET expires_at = now()")
    assert (await refused(auth_server.reset_password(code, NEW_PASSWORD))).reason == "INVALID_RESET_CODE"
    code = await auth_server.reset_code(admin, user.id)
    await auth_server.change_password((await auth_server.login()).access_token, PASSWORD, NEW_PASSWORD)
    assert (await refused(auth_server.reset_password(code, PASSWORD))).reason == "INVALID_RESET_CODE"


@pytest.mark.parametrize("code", ["x", "A" * 43, "\0" * 43])
async def test_invalid_reset_codes_are_rejected(auth_server, code):
    assert await code_and_reason(auth_server.reset_password(code, NEW_PASSWORD)) == (
        grpc.StatusCode.UNAUTHENTICATED,
        "INVALID_RESET_CODE",
    )


async def disable(auth_server, admin, issuer, user):
    await auth_server.update_user(admin, issuer.id, disabled=True)


async def disable_and_enable(auth_server, admin, issuer, user):
    await auth_server.update_user(admin, issuer.id, disabled=True)
    await auth_server.update_user(admin, issuer.id, disabled=False)


async def demote(auth_server, admin, issuer, user):
    await auth_server.update_user(admin, issuer.id, role=user_pb2.ROLE_MANAGER)


async def demote_and_promote(auth_server, admin, issuer, user):
    await auth_server.update_user(admin, issuer.id, role=user_pb2.ROLE_USER)
    await auth_server.update_user(admin, issuer.id, role=user_pb2.ROLE_ADMIN)


async def delete(auth_server, admin, issuer, user):
    await auth_server.delete_me((await auth_server.login(issuer.email)).access_token)


async def change_issuer_password(auth_server, admin, issuer, user):
    token = (await auth_server.login(issuer.email)).access_token
    await auth_server.change_password(token, PASSWORD, NEW_PASSWORD)


async def change_email(auth_server, admin, issuer, user):
    token = (await auth_server.login(user.email)).access_token
    await auth_server.update_me(token, email="new@example.com", current_password=PASSWORD)


async def respell_email(auth_server, admin, issuer, user):
    token = (await auth_server.login(user.email)).access_token
    await auth_server.update_me(token, email="Sonu@example.com", current_password=PASSWORD)


async def disable_and_enable_the_account(auth_server, admin, issuer, user):
    await auth_server.update_user(admin, user.id, disabled=True)
    await auth_server.update_user(admin, user.id, disabled=False)


@pytest.mark.parametrize(
    "event",
    [
        disable,
        disable_and_enable,
        demote,
        demote_and_promote,
        delete,
        change_issuer_password,
        change_email,
        respell_email,
        disable_and_enable_the_account,
    ],
)
async def test_reset_code_dies_with_its_reasons(auth_server, admin, event):
    """A code dies when its issuer loses rights for a moment, and when the account gets another email or is disabled."""
    user = await auth_server.register()
    issuer_token = await auth_server.create_admin("bob")
    issuer = await auth_server.me(issuer_token)
    code = await auth_server.reset_code(issuer_token, user.id)
    await event(auth_server, admin, issuer, user)
    assert await code_and_reason(auth_server.reset_password(code, NEW_PASSWORD)) == INVALID_RESET_CODE
    # A new code works.
    await auth_server.reset_password(await auth_server.reset_code(admin, user.id), NEW_PASSWORD)


async def test_reset_code_survives_unrelated_changes(auth_server, admin):
    """A new username changes no rights, so codes of its account and codes that it issued stay valid."""
    user = await auth_server.register()
    code = await auth_server.reset_code(admin, user.id)
    await auth_server.update_me(admin, username="ada2")
    await auth_server.update_me((await auth_server.login()).access_token, username="sonu2")
    await auth_server.reset_password(code, NEW_PASSWORD)


async def test_admins_redeem_codes_for_each_other_at_once(auth_server, admin):
    """Each code has been issued by the account that the other code is for. Redeeming both at once cannot deadlock."""
    bob = await auth_server.create_admin("bob")
    ids = [(await auth_server.me(token)).id for token in (admin, bob)]
    codes = [await auth_server.reset_code(admin, ids[1]), await auth_server.reset_code(bob, ids[0])]
    responses = await asyncio.gather(
        *(auth_server.reset_password(code, NEW_PASSWORD) for code in codes), return_exceptions=True
    )
    # The code that is redeemed first raises the epoch of its account, which may void the other one.
    errors = [response for response in responses if isinstance(response, BaseException)]
    assert len(errors) <= 1
    assert [await code_and_reason(failed(error)) for error in errors] == [INVALID_RESET_CODE] * len(errors)


async def failed(error):
    raise error
