"""Callers whose rights ended after their token was verified: every change of accounts and credentials refuses them.

The tests change the database without a revocation, so that the verifier of the server never refuses the token.
"""

import asyncio
from collections.abc import Awaitable, Callable

import grpc
import psycopg
import pytest
from taskmanager.auth.v1 import (
    auth_service_pb2,
    security_event_service_pb2,
    service_account_service_pb2,
    token_service_pb2,
    user_pb2,
    user_service_pb2,
)

from chassis.rpc.access import access_of
from tests.integration.auth_service.auth_server import NEW_PASSWORD, PASSWORD, AuthServer, claims, code_and_reason
from tests.support.grpc_calls import bearer
from tests.support.waiting import until

ACCOUNT_GONE = (grpc.StatusCode.UNAUTHENTICATED, "ACCOUNT_GONE")
LOCK_WAIT = "SELECT 1 FROM pg_stat_activity WHERE usename = 'auth_app' AND wait_event_type = 'Lock'"
CHANGED_ROWS = """
    SELECT (SELECT array_agg(u ORDER BY u.id) FROM auth.users u), (SELECT array_agg(r) FROM auth.password_resets r),
           (SELECT array_agg(a ORDER BY a.id) FROM auth.service_accounts a),
           (SELECT array_agg(s ORDER BY s.id) FROM auth.sessions s),
           (SELECT array_agg(t ORDER BY t.id) FROM auth.personal_tokens t)
"""
Call = Callable[[], Awaitable[object]]

LOST_RIGHTS = {
    "disabled": "UPDATE auth.users SET disabled = true, epoch = epoch + 1 WHERE username = 'ada'",
    "new epoch": "UPDATE auth.users SET epoch = epoch + 1 WHERE username = 'ada'",
    "ended session": "UPDATE auth.sessions SET ended_at = now()",
    "expired session": "UPDATE auth.sessions SET expires_at = now()",
}
LOST_ADMIN_RIGHTS = {
    **LOST_RIGHTS,
    "demoted": "UPDATE auth.users SET role = 'manager', epoch = epoch + 1 WHERE username = 'ada'",
    "deleted": """
        UPDATE auth.users SET username = '', username_key = NULL, email = '', email_key = NULL, password_hash = '',
               role = 'user', disabled = true, epoch = epoch + 1, deleted_at = now() WHERE username = 'ada'
    """,
}

READS = {"GetCurrentUser", "ListSessions", "ListUsers", "GetUser", "LookupUsers", "ListServiceAccounts"} | {
    "ListSecurityEvents",
    "ListTokens",
    "ListUserTokens",
}


async def administration_calls(auth_server: AuthServer, token: str) -> dict[str, Call]:
    """Return a call of each rpc that only admins may call and that changes something."""
    pb, accounts, metadata = service_account_service_pb2, auth_server.service_accounts, bearer(token)
    user = await auth_server.register("mona")
    create = pb.CreateServiceAccountRequest(name="reports", scopes=["tasks:read"])
    account_id = (await accounts.CreateServiceAccount(create, metadata=metadata)).service_account.id
    other = pb.CreateServiceAccountRequest(name="other", scopes=["tasks:read"])
    created = await auth_server.create_token((await auth_server.login("mona@example.com")).access_token, "tasks:read")
    revocation = token_service_pb2.RevokeUserTokenRequest(user_id=user.id, id=created.id)
    return {
        "UpdateUser": lambda: auth_server.update_user(token, user.id, role=user_pb2.ROLE_ADMIN),
        "ResetUserPassword": lambda: auth_server.reset_code(token, user.id),
        "CreateServiceAccount": lambda: accounts.CreateServiceAccount(other, metadata=metadata),
        "RotateServiceAccount": lambda: accounts.RotateServiceAccount(
            pb.RotateServiceAccountRequest(id=account_id), metadata=metadata
        ),
        "DisableServiceAccount": lambda: accounts.DisableServiceAccount(
            pb.DisableServiceAccountRequest(id=account_id), metadata=metadata
        ),
        "EnableServiceAccount": lambda: accounts.EnableServiceAccount(
            pb.EnableServiceAccountRequest(id=account_id), metadata=metadata
        ),
        "RevokeUserToken": lambda: auth_server.tokens.RevokeUserToken(revocation, metadata=metadata),
    }


async def self_service_calls(auth_server: AuthServer, token: str) -> dict[str, Call]:
    """Return a call of each rpc by which callers change their own account."""
    other_session = claims((await auth_server.login("ada@example.com")).access_token)["sid"]
    personal_token = await auth_server.create_token(token, "tasks:read")
    return {
        "UpdateCurrentUser": lambda: auth_server.update_me(token, username="ada2"),
        "UpdateCurrentUser, email": lambda: auth_server.update_me(
            token, email="new@example.com", current_password=PASSWORD
        ),
        "ChangePassword": lambda: auth_server.change_password(token, PASSWORD, NEW_PASSWORD),
        "RevokeSession": lambda: auth_server.revoke_session(token, other_session),
        "CreateToken": lambda: auth_server.create_token(token, "tasks:read"),
        "RevokeToken": lambda: auth_server.revoke_token(token, personal_token.id),
        "DeleteCurrentUser": lambda: auth_server.delete_me(token),
    }


def test_calls_of_this_file_cover_the_contract():
    """Every rpc with a token that changes something is called here. Logout needs no rights: it gives them up."""
    accounts = (auth_service_pb2, user_service_pb2, service_account_service_pb2)
    files = (*accounts, token_service_pb2, security_event_service_pb2)
    methods = {
        method.name
        for file in files
        for service in file.DESCRIPTOR.services_by_name.values()
        for method in service.methods
        if (access := access_of(method)) is not None and access.roles
    }
    covered = {"UpdateUser", "ResetUserPassword", "UpdateCurrentUser", "ChangePassword", "RevokeSession"} | {
        "DeleteCurrentUser",
        "CreateToken",
        "RevokeToken",
        "RevokeUserToken",
        "CreateServiceAccount",
        "RotateServiceAccount",
        "DisableServiceAccount",
        "EnableServiceAccount",
    }
    assert methods == covered | READS | {"Logout"}


@pytest.mark.parametrize("loss", LOST_ADMIN_RIGHTS.values(), ids=LOST_ADMIN_RIGHTS)
async def test_administration_needs_the_rights_of_the_token(auth_server, database, loss):
    token = await auth_server.create_admin()
    await auth_server.create_admin("bob")
    calls = await administration_calls(auth_server, token)
    database.rows(loss)
    before = database.rows(CHANGED_ROWS)
    assert {name: await code_and_reason(call()) for name, call in calls.items()} == dict.fromkeys(calls, ACCOUNT_GONE)
    assert database.rows(CHANGED_ROWS) == before


@pytest.mark.parametrize("loss", LOST_RIGHTS.values(), ids=LOST_RIGHTS)
async def test_self_service_needs_the_rights_of_the_token(auth_server, database, loss):
    token = await auth_server.create_admin()
    await auth_server.create_admin("bob")
    calls = await self_service_calls(auth_server, token)
    database.rows(loss)
    before = database.rows(CHANGED_ROWS)
    assert {name: await code_and_reason(call()) for name, call in calls.items()} == dict.fromkeys(calls, ACCOUNT_GONE)
    assert database.rows(CHANGED_ROWS) == before


async def test_changes_wait_for_a_change_of_the_caller(auth_server, database):
    """A call that arrives while its caller is being disabled waits for that change, and is then refused."""
    token = await auth_server.create_admin()
    await auth_server.create_admin("bob")
    for calls in (await administration_calls(auth_server, token), await self_service_calls(auth_server, token)):
        for call in calls.values():
            with psycopg.connect(database.administrator_url) as disabling:
                disabling.execute(LOST_RIGHTS["disabled"])
                waiting = asyncio.ensure_future(call())
                await until(lambda: bool(database.rows(LOCK_WAIT)))
                disabling.commit()
                assert await code_and_reason(waiting) == ACCOUNT_GONE
                disabling.execute("UPDATE auth.users SET disabled = false, epoch = epoch - 1 WHERE username = 'ada'")


async def test_admins_issue_codes_for_each_other_without_deadlock(auth_server, database):
    """Two admins lock each other's accounts in one order. A deadlock would refuse one of the calls."""
    ada, bob = await auth_server.create_admin(), await auth_server.create_admin("bob")
    ada_id, bob_id = (await auth_server.me(ada)).id, (await auth_server.me(bob)).id
    with psycopg.connect(database.administrator_url) as blocker:
        # Both calls have begun before either gets a lock.
        blocker.execute("SELECT 1 FROM auth.users FOR UPDATE")
        calls = asyncio.gather(auth_server.reset_code(ada, bob_id), auth_server.reset_code(bob, ada_id))
        await until(lambda: len(database.rows(LOCK_WAIT)) == 2)
    assert all(await calls)
    assert database.rows("SELECT count(*) FROM auth.password_resets") == [(2,)]
