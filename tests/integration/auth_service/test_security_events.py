"""The log of security events: complete, without secrets, safe to print, and for admins."""

import grpc
import pytest
from taskmanager.auth.v1 import security_event_service_pb2 as pb
from taskmanager.auth.v1 import user_pb2

from tests.integration.auth_service.door import PASSWORD, bearer, refused


@pytest.fixture
async def admin(door):
    return await door.admin()


async def listed(door, admin, **query):
    return await door.events.ListSecurityEvents(pb.ListSecurityEventsRequest(**query), metadata=bearer(admin))


async def test_what_happens_to_an_account_is_told_in_order_with_who_did_it(door, admin):
    user = await door.register()
    ada = (await door.me(admin)).id
    await refused(door.login(password="wrong"))
    login = await door.login()
    await door.update_user(admin, user.id, role=user_pb2.ROLE_MANAGER)
    await door.update_user(admin, user.id, disabled=True)
    await refused(door.refresh(login.refresh_token))
    found = (await listed(door, admin, subject_id=user.id)).events
    assert [(event.kind, event.actor_id) for event in reversed(found)] == [
        ("registered", ""),
        ("login_refused", ""),
        ("logged_in", user.id),
        ("role_changed", ada),
        ("user_disabled", ada),
    ]
    assert {(detail.name, detail.value) for detail in found[1].details} == {("old", "user"), ("new", "manager")}
    assert all(event.request_id and event.occurred_at.ToSeconds() for event in found)


async def test_the_whole_log_comes_in_pages_newest_first(door, admin):
    for number in range(3):
        await door.register(f"user{number}")
    kinds: list[str] = []
    token = ""
    while not kinds or token:
        page = await listed(door, admin, page_size=2, page_token=token)
        kinds += [event.kind for event in page.events]
        token = page.next_page_token
    assert kinds == ["registered"] * 3 + ["logged_in", "registered"]


async def test_no_secret_and_nothing_typed_is_in_the_log(door, admin):
    user = await door.register(password="canary of a password")
    login = await door.login(password="canary of a password")
    code = await door.reset_code(admin, user.id)
    await door.reset_password(code, "canary of another")
    await refused(door.login("canary\x1b]0;evil\x07@example.com", "x"))
    await door.update_me(admin, username="canary\N{FULLWIDTH LATIN SMALL LETTER A}")
    told = str(await listed(door, admin))
    secrets = ["canary", code, login.access_token, login.refresh_token, PASSWORD, "\x1b", "sonu"]
    assert [secret for secret in secrets if secret in told] == []
    assert "password_reset" in told


async def test_the_log_is_for_admins(door):
    await door.register()
    token = (await door.login()).access_token
    status = await refused(listed(door, token))
    assert status.code == grpc.StatusCode.PERMISSION_DENIED


async def test_a_subject_is_an_id(door, admin):
    status = await refused(listed(door, admin, subject_id="sonu"))
    assert (status.code, [one.field for one in status.violations]) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        ["subject_id"],
    )
