"""Administration of accounts."""

import asyncio
from uuid import uuid4

import grpc
import psycopg
import pytest
from taskmanager.auth.v1 import user_pb2

from tests.integration.auth_service.auth_server import claims, code_and_reason
from tests.support.grpc_calls import refused, until_refused
from tests.support.waiting import until

NOT_FOUND = (grpc.StatusCode.NOT_FOUND, "USER_NOT_FOUND")
LAST_ADMIN = (grpc.StatusCode.FAILED_PRECONDITION, "LAST_ADMIN")


@pytest.fixture
async def admin(auth_server):
    return await auth_server.create_admin()


async def test_admin_lists_accounts_newest_first(auth_server, admin):
    users = [await auth_server.register(f"user{number}") for number in range(3)]
    assert await auth_server.get_user(admin, users[1].id) == users[1]
    listed = await auth_server.list_users(admin)
    assert [user.username for user in listed.users] == ["user2", "user1", "user0", "ada"]
    first = await auth_server.list_users(admin, page_size=2)
    second = await auth_server.list_users(admin, page_size=2, page_token=first.next_page_token)
    assert [user.username for user in (*first.users, *second.users)] == ["user2", "user1", "user0", "ada"]
    assert not second.next_page_token
    assert (await code_and_reason(auth_server.list_users(admin, q="x", page_token=first.next_page_token)))[
        1
    ] == "INVALID_PAGE_TOKEN"


@pytest.mark.parametrize(
    ("text", "usernames"),
    [("SONU", ["sonu"]), ("example.ORG", ["mona"]), ("o", ["mona", "sonu", "ada"]), ("%", []), ("a_a", []), ("\0", [])],
)
async def test_list_filters_by_username_and_email(auth_server, admin, text, usernames):
    await auth_server.register("sonu")
    await auth_server.register("mona", email="mona@example.org")
    assert [user.username for user in (await auth_server.list_users(admin, q=text)).users] == usernames


async def test_unknown_account_is_not_found(auth_server, admin):
    assert await code_and_reason(auth_server.get_user(admin, str(uuid4()))) == NOT_FOUND
    assert await code_and_reason(auth_server.update_user(admin, str(uuid4()), disabled=True)) == NOT_FOUND
    assert await code_and_reason(auth_server.reset_code(admin, str(uuid4()))) == NOT_FOUND
    assert (await code_and_reason(auth_server.get_user(admin, "x")))[1] == "MALFORMED_ID"


async def test_lookup_matches_the_start_of_the_username(auth_server, admin):
    for name in ("Mona", "monalisa", "m_na", "sonu"):
        await auth_server.register(name)
    await auth_server.update_user(admin, (await auth_server.register("monarch")).id, disabled=True)
    token = (await auth_server.login("sonu@example.com")).access_token
    assert await auth_server.lookup(token, "MONA") == ["Mona", "monalisa"]
    assert await auth_server.lookup(token, "m_") == ["m_na"]
    assert await auth_server.lookup(token, "%") == []
    assert await auth_server.lookup(token, "\0") == []
    assert (await code_and_reason(auth_server.lookup(token, " ")))[1] == "MISSING_FIELD"


async def test_service_with_the_scope_reads_accounts(auth_server):
    user = await auth_server.register()
    token = (await auth_server.service_token(await auth_server.create_service("tasks", "users:read"))).access_token
    assert (await auth_server.get_user(token, user.id)).username == "sonu"
    assert await auth_server.lookup(token, "sonu") == ["sonu"]
    assert (await code_and_reason(auth_server.list_users(token)))[0] == grpc.StatusCode.PERMISSION_DENIED


async def test_role_change_revokes_tokens_and_renews_the_claim(auth_server, admin, database):
    """A role change revokes access tokens. Refreshed tokens carry the new role."""
    user = await auth_server.register()
    login = await auth_server.login()
    changed = await auth_server.update_user(admin, user.id, role=user_pb2.ROLE_MANAGER)
    assert changed.role == user_pb2.ROLE_MANAGER
    assert (await until_refused(lambda: auth_server.me(login.access_token))).reason == "TOKEN_REVOKED"
    refreshed = await auth_server.refresh(login.refresh_token)
    assert claims(refreshed.access_token)["role"] == "manager"
    assert (await auth_server.me(refreshed.access_token)).role == user_pb2.ROLE_MANAGER
    assert database.rows("SELECT details FROM auth.security_events WHERE kind = 'role_changed'") == [
        ({"old": "user", "new": "manager"},)
    ]


@pytest.mark.parametrize("role", [0, 7, -1])
async def test_unknown_role_is_rejected(auth_server, admin, role):
    user = await auth_server.register()
    status = await refused(auth_server.update_user(admin, user.id, role=role))
    assert (status.code, status.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "UNKNOWN_ROLE")


async def test_disabling_ends_sessions_permanently(auth_server, admin):
    """A disabled account cannot log in until it is enabled. Its old sessions stay ended."""
    user = await auth_server.register()
    login = await auth_server.login()
    assert (await auth_server.update_user(admin, user.id, disabled=True)).disabled
    assert (await until_refused(lambda: auth_server.me(login.access_token))).reason in {"TOKEN_REVOKED", "ACCOUNT_GONE"}
    assert (await refused(auth_server.login())).reason == "INVALID_CREDENTIALS"
    assert not (await auth_server.update_user(admin, user.id, disabled=False)).disabled
    assert (await refused(auth_server.refresh(login.refresh_token))).reason == "INVALID_REFRESH_TOKEN"
    assert (await auth_server.me((await auth_server.login()).access_token)).username == "sonu"


async def test_noop_update_keeps_sessions(auth_server, admin):
    user = await auth_server.register()
    login = await auth_server.login()
    assert await auth_server.update_user(admin, user.id) == user
    assert await auth_server.update_user(admin, user.id, role=user_pb2.ROLE_USER, disabled=False) == user
    assert claims((await auth_server.refresh(login.refresh_token)).access_token)["epoch"] == 0


async def test_last_admin_cannot_be_removed(auth_server, admin):
    ada = await auth_server.me(admin)
    await auth_server.register()
    assert await code_and_reason(auth_server.update_user(admin, ada.id, role=user_pb2.ROLE_USER)) == LAST_ADMIN
    assert await code_and_reason(auth_server.update_user(admin, ada.id, disabled=True)) == LAST_ADMIN
    assert await code_and_reason(auth_server.delete_me(admin)) == LAST_ADMIN
    # A disabled admin does not count.
    await auth_server.create_admin("bob")
    page = await auth_server.list_users(admin, q="bob")
    await auth_server.update_user(admin, page.users[0].id, disabled=True)
    assert await code_and_reason(auth_server.delete_me(admin)) == LAST_ADMIN


async def test_admins_cannot_remove_each_other_concurrently(auth_server, admin, database):
    other = await auth_server.create_admin("bob")
    ada, bob = await auth_server.me(admin), await auth_server.me(other)
    lock_waits = "SELECT 1 FROM pg_stat_activity WHERE usename = 'auth_app' AND wait_event_type = 'Lock'"
    with psycopg.connect(database.administrator_url) as blocker:
        # Both calls have begun, and neither has changed anything yet.
        blocker.execute("SELECT 1 FROM auth.users FOR UPDATE")
        calls = asyncio.gather(
            auth_server.update_user(admin, bob.id, role=user_pb2.ROLE_USER),
            auth_server.update_user(other, ada.id, disabled=True),
            return_exceptions=True,
        )
        await until(lambda: len(database.rows(lock_waits)) == 2)
    responses = await calls
    assert sum(isinstance(response, BaseException) for response in responses) == 1
    assert database.rows("SELECT count(*) FROM auth.users WHERE role = 'admin' AND NOT disabled") == [(1,)]
