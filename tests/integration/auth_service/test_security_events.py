"""The log of security events: complete, without secrets, safe to print, and for admins."""

import grpc
import psycopg
import pytest
from pydantic import ValidationError
from taskmanager.auth.v1 import security_event_service_pb2 as pb
from taskmanager.auth.v1 import user_pb2

from auth_service.bootstrap import assembled
from tests.integration.auth_service.door import PASSWORD, opened, settings_for
from tests.support.grpc_calls import bearer, refused
from tests.support.waiting import until


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


def stored(database) -> list[str]:
    with psycopg.connect(database.administrator_url) as connection:
        return [kind for (kind,) in connection.execute("SELECT kind FROM auth.security_events ORDER BY kind")]


def write_events(database, **days_ago: int) -> None:
    """Events of these kinds, so many days old."""
    with psycopg.connect(database.administrator_url) as connection:
        for kind, days in days_ago.items():
            connection.execute(
                "INSERT INTO auth.security_events (id, occurred_at, kind, request_id, details)"
                " VALUES (gen_random_uuid(), now() - %s * interval '1 day', %s, '', '{}')",
                [days, kind],
            )


async def test_events_go_when_they_have_been_kept_for_so_many_days_as_the_setting_says(database):
    write_events(database, recent=1, last_month=40, last_quarter=119, before_that=121, years_ago=2000)
    async with opened(settings_for(database.auth_url, security_event_days=120)):
        await until(lambda: stored(database) == ["last_month", "last_quarter", "recent"])


async def test_more_events_than_go_at_once_go_one_batch_after_another(database):
    with psycopg.connect(database.administrator_url) as connection:
        connection.execute(
            "INSERT INTO auth.security_events (id, occurred_at, kind, request_id, details)"
            " SELECT gen_random_uuid(), now() - interval '500 days', 'old', '', '{}' FROM generate_series(1, 2500)"
        )
    async with assembled(settings_for(database.auth_url)) as use_cases:
        assert await use_cases.forget_old_events() == 2500
    assert stored(database) == []


async def test_no_setting_keeps_events_for_less_than_a_quarter(database):
    with pytest.raises(ValidationError):
        settings_for(database.auth_url, security_event_days=89)


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
