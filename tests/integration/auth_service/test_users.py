"""Administering accounts, and keeping one's own."""

import asyncio
from uuid import UUID, uuid4

import grpc
import psycopg
import pytest
from taskmanager.auth.v1 import user_pb2

from auth_service.bootstrap import assembled
from auth_service.domain.errors import AccountGone
from chassis.kernel.identity import Caller
from task_service.access import Role
from tests.integration.auth_service.door import PASSWORD, claims, refused, until, until_refused

OTHER = "another horse"
NOT_FOUND = (grpc.StatusCode.NOT_FOUND, "USER_NOT_FOUND")
LAST_ADMIN = (grpc.StatusCode.FAILED_PRECONDITION, "LAST_ADMIN")


def rows(databases, query):
    with psycopg.connect(databases.administrator_url) as connection:
        return connection.execute(query).fetchall()


async def answer_to(call):
    status = await refused(call)
    return status.code, status.reason


@pytest.fixture
async def admin(door):
    return await door.admin()


async def test_an_admin_reads_and_lists_accounts_newest_first(door, admin):
    made = [await door.register(f"user{number}") for number in range(3)]
    assert await door.get_user(admin, made[1].id) == made[1]
    listed = await door.list_users(admin)
    assert [user.username for user in listed.users] == ["user2", "user1", "user0", "ada"]
    first = await door.list_users(admin, page_size=2)
    second = await door.list_users(admin, page_size=2, page_token=first.next_page_token)
    assert [user.username for user in (*first.users, *second.users)] == ["user2", "user1", "user0", "ada"]
    assert not second.next_page_token
    assert (await answer_to(door.list_users(admin, q="x", page_token=first.next_page_token)))[1] == "INVALID_PAGE_TOKEN"


@pytest.mark.parametrize(
    ("text", "found"),
    [("SONU", ["sonu"]), ("example.ORG", ["mona"]), ("o", ["mona", "sonu", "ada"]), ("%", []), ("a_a", []), ("\0", [])],
)
async def test_accounts_are_searched_by_name_and_email(door, admin, text, found):
    await door.register("sonu")
    await door.register("mona", email="mona@example.org")
    assert [user.username for user in (await door.list_users(admin, q=text)).users] == found


async def test_an_account_that_is_not_there_is_not_found(door, admin):
    assert await answer_to(door.get_user(admin, str(uuid4()))) == NOT_FOUND
    assert await answer_to(door.update_user(admin, str(uuid4()), disabled=True)) == NOT_FOUND
    assert await answer_to(door.reset_code(admin, str(uuid4()))) == NOT_FOUND
    assert (await answer_to(door.get_user(admin, "x")))[1] == "MALFORMED_ID"


async def test_anyone_signed_in_finds_people_by_the_beginning_of_their_name(door, admin):
    for name in ("Mona", "monalisa", "m_na", "sonu"):
        await door.register(name)
    await door.update_user(admin, (await door.register("monarch")).id, disabled=True)
    token = (await door.login("sonu@example.com")).access_token
    assert await door.look_up(token, "MONA") == ["Mona", "monalisa"]
    assert await door.look_up(token, "m_") == ["m_na"]
    assert await door.look_up(token, "%") == []
    assert await door.look_up(token, "\0") == []
    assert (await answer_to(door.look_up(token, " ")))[1] == "MISSING_FIELD"


async def test_a_service_that_may_reads_accounts(door):
    user = await door.register()
    token = (await door.service_token(await door.create_service("tasks", "users:read"))).access_token
    assert (await door.get_user(token, user.id)).username == "sonu"
    assert await door.look_up(token, "sonu") == ["sonu"]
    assert (await answer_to(door.list_users(token)))[0] == grpc.StatusCode.PERMISSION_DENIED


async def test_a_new_role_ends_old_tokens_and_is_in_the_refreshed_ones(door, admin, databases):
    user = await door.register()
    login = await door.login()
    changed = await door.update_user(admin, user.id, role=user_pb2.ROLE_MANAGER)
    assert changed.role == user_pb2.ROLE_MANAGER
    assert (await until_refused(lambda: door.me(login.access_token))).reason == "TOKEN_REVOKED"
    refreshed = await door.refresh(login.refresh_token)
    assert claims(refreshed.access_token)["role"] == "manager"
    assert (await door.me(refreshed.access_token)).role == user_pb2.ROLE_MANAGER
    assert rows(databases, "SELECT details FROM auth.security_events WHERE kind = 'role_changed'") == [
        ({"old": "user", "new": "manager"},)
    ]


@pytest.mark.parametrize("role", [0, 7, -1])
async def test_a_role_that_is_none_is_refused(door, admin, role):
    user = await door.register()
    status = await refused(door.update_user(admin, user.id, role=role))
    assert (status.code, status.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "UNKNOWN_ROLE")


async def test_a_disabled_account_is_out_until_it_is_enabled_and_its_old_sessions_for_good(door, admin):
    user = await door.register()
    login = await door.login()
    assert (await door.update_user(admin, user.id, disabled=True)).disabled
    assert (await until_refused(lambda: door.me(login.access_token))).reason in {"TOKEN_REVOKED", "ACCOUNT_GONE"}
    assert (await refused(door.login())).reason == "INVALID_CREDENTIALS"
    assert not (await door.update_user(admin, user.id, disabled=False)).disabled
    assert (await refused(door.refresh(login.refresh_token))).reason == "INVALID_REFRESH_TOKEN"
    assert (await door.me((await door.login()).access_token)).username == "sonu"


async def test_what_changes_nothing_ends_nothing(door, admin):
    user = await door.register()
    login = await door.login()
    assert await door.update_user(admin, user.id) == user
    assert await door.update_user(admin, user.id, role=user_pb2.ROLE_USER, disabled=False) == user
    assert claims((await door.refresh(login.refresh_token)).access_token)["epoch"] == 0


async def test_nobody_removes_the_last_admin(door, admin):
    ada = await door.me(admin)
    await door.register()
    assert await answer_to(door.update_user(admin, ada.id, role=user_pb2.ROLE_USER)) == LAST_ADMIN
    assert await answer_to(door.update_user(admin, ada.id, disabled=True)) == LAST_ADMIN
    assert await answer_to(door.delete_me(admin)) == LAST_ADMIN
    # Nor does one who is disabled count as another.
    await door.admin("bob")
    found = await door.list_users(admin, q="bob")
    await door.update_user(admin, found.users[0].id, disabled=True)
    assert await answer_to(door.delete_me(admin)) == LAST_ADMIN


async def test_two_admins_who_remove_each_other_at_once_leave_one(door, admin, databases):
    other = await door.admin("bob")
    ada, bob = await door.me(admin), await door.me(other)
    waiting = "SELECT 1 FROM pg_stat_activity WHERE usename = 'auth_app' AND wait_event_type = 'Lock'"
    with psycopg.connect(databases.administrator_url) as holding:
        # Both have begun, and neither has changed anything yet.
        holding.execute("SELECT 1 FROM auth.users FOR UPDATE")
        calls = asyncio.gather(
            door.update_user(admin, bob.id, role=user_pb2.ROLE_USER),
            door.update_user(other, ada.id, disabled=True),
            return_exceptions=True,
        )
        await until(lambda: len(rows(databases, waiting)) == 2)
    answers = await calls
    assert sum(isinstance(answer, BaseException) for answer in answers) == 1
    assert rows(databases, "SELECT count(*) FROM auth.users WHERE role = 'admin' AND NOT disabled") == [(1,)]


async def test_a_reset_code_sets_a_new_password_once_and_ends_every_session(door, admin, databases):
    user = await door.register()
    login = await door.login()
    void = await door.reset_code(admin, user.id)
    code = await door.reset_code(admin, user.id)
    # Nothing has changed by that.
    assert (await door.me(login.access_token)).username == "sonu"
    assert (await refused(door.reset_password(void, OTHER))).reason == "INVALID_RESET_CODE"
    short = await refused(door.reset_password(code, "short"))
    assert [(one.field, one.reason) for one in short.violations] == [("new_password", "PASSWORD_TOO_SHORT")]
    answers = await asyncio.gather(*(door.reset_password(code, OTHER) for _ in range(5)), return_exceptions=True)
    assert sum(not isinstance(answer, BaseException) for answer in answers) == 1
    assert (await refused(door.reset_password(code, OTHER))).reason == "INVALID_RESET_CODE"
    assert (await refused(door.login())).reason == "INVALID_CREDENTIALS"
    assert (await refused(door.refresh(login.refresh_token))).reason == "INVALID_REFRESH_TOKEN"
    assert (await door.login(password=OTHER)).access_token
    assert code not in str(rows(databases, "SELECT security_events::text FROM auth.security_events"))


async def test_a_reset_code_expires_and_a_changed_password_voids_it(door, admin, databases):
    user = await door.register()
    code = await door.reset_code(admin, user.id)
    with psycopg.connect(databases.administrator_url) as connection:
        connection.execute("UPDATE auth.password_resets SET expires_at = now()")
    assert (await refused(door.reset_password(code, OTHER))).reason == "INVALID_RESET_CODE"
    code = await door.reset_code(admin, user.id)
    await door.change_password((await door.login()).access_token, PASSWORD, OTHER)
    assert (await refused(door.reset_password(code, PASSWORD))).reason == "INVALID_RESET_CODE"


@pytest.mark.parametrize("code", ["x", "A" * 43, "\0" * 43])
async def test_what_is_no_reset_code_is_refused(door, code):
    assert await answer_to(door.reset_password(code, OTHER)) == (
        grpc.StatusCode.UNAUTHENTICATED,
        "INVALID_RESET_CODE",
    )


@pytest.mark.parametrize("nearly", ["strasse@example.com", "STRASSE@example.com", "Straße@example.com"])
async def test_an_email_that_differs_by_its_spelling_only_is_another_mailbox_and_needs_the_password(door, nearly):
    await door.register(email="straße@example.com")
    token = (await door.login("straße@example.com")).access_token
    status = await refused(door.update_me(token, email=nearly))
    assert [(one.field, one.reason) for one in status.violations] == [("current_password", "MISSING_FIELD")]
    assert (await door.me(token)).email == "straße@example.com"
    assert (await door.update_me(token, email=nearly, current_password=PASSWORD)).email == nearly
    # As it stands it is no change, and a form that sends every field back need not ask.
    assert (await door.update_me(token, email=nearly, username="Sonu")).username == "Sonu"


async def test_i_change_my_own_name_and_with_my_password_my_email(door):
    await door.register("mona")
    await door.register()
    token = (await door.login()).access_token
    assert (await door.update_me(token, username="Sonu2")).username == "Sonu2"
    assert (await refused(door.update_me(token, email="new@example.com"))).violations[0].field == "current_password"
    status = await refused(door.update_me(token, email="new@example.com", current_password="wrong"))
    assert status.reason == "WRONG_CURRENT_PASSWORD"
    changed = await door.update_me(token, email="new@example.com", current_password=PASSWORD)
    assert (changed.username, changed.email) == ("Sonu2", "new@example.com")
    assert await door.me(token) == changed
    assert (await door.login("new@example.com")).access_token
    assert (await answer_to(door.update_me(token, username="MONA"))) == (
        grpc.StatusCode.ALREADY_EXISTS,
        "USERNAME_TAKEN",
    )
    taken = door.update_me(token, email="mona@example.com", current_password=PASSWORD)
    assert (await refused(taken)).reason == "EMAIL_TAKEN"
    wrong = await refused(door.update_me(token, username="", email="x"))
    assert [(one.field, one.reason) for one in wrong.violations] == [
        ("username", "MISSING_FIELD"),
        ("email", "INVALID_EMAIL"),
    ]


async def test_a_deleted_account_leaves_its_id_and_nothing_else(door, admin, databases):
    user = await door.register()
    login = await door.login()
    code = await door.reset_code(admin, user.id)
    await door.delete_me(login.access_token)
    stored = rows(databases, f"SELECT users::text FROM auth.users WHERE id = '{user.id}'")
    assert len(stored) == 1
    assert "sonu" not in stored[0][0]
    assert await answer_to(door.get_user(admin, user.id)) == NOT_FOUND
    assert (await refused(door.login())).reason == "INVALID_CREDENTIALS"
    assert (await refused(door.refresh(login.refresh_token))).reason == "INVALID_REFRESH_TOKEN"
    assert (await refused(door.reset_password(code, OTHER))).reason == "INVALID_RESET_CODE"
    assert (await until_refused(lambda: door.me(login.access_token))).code == grpc.StatusCode.UNAUTHENTICATED
    assert [user.username for user in (await door.list_users(admin)).users] == ["ada"]
    # The name is free for another, who is somebody else.
    assert (await door.register()).id != user.id


async def test_whoever_was_just_disabled_changes_and_deletes_nothing_with_a_token_that_nobody_has_refused_yet(
    door, admin
):
    user = await door.register()
    caller = Caller(UUID(user.id), Role.USER)
    await door.update_user(admin, user.id, disabled=True)
    async with assembled(door.settings) as use_cases:
        with pytest.raises(AccountGone):
            await use_cases.update_current_user(caller, username="other", email=None, password="")
        with pytest.raises(AccountGone):
            await use_cases.delete_current_user(caller)
    assert (await door.get_user(admin, user.id)).username == "sonu"
