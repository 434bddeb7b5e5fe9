"""Security events: completeness, paging, absence of secrets, retention and access."""

import grpc
import psycopg
import pytest
from pydantic import ValidationError
from taskmanager.auth.v1 import security_event_service_pb2 as pb
from taskmanager.auth.v1 import user_pb2

from auth_service.bootstrap import open_use_cases
from tests.integration.auth_service.auth_server import PASSWORD, make_settings, running_auth_server
from tests.support.grpc_calls import bearer, refused
from tests.support.waiting import until


@pytest.fixture
async def admin(auth_server):
    return await auth_server.create_admin()


async def list_events(auth_server, admin, **query):
    return await auth_server.security_events.ListSecurityEvents(
        pb.ListSecurityEventsRequest(**query), metadata=bearer(admin)
    )


async def test_events_are_in_order_and_name_the_actor(auth_server, admin):
    user = await auth_server.register()
    ada = (await auth_server.me(admin)).id
    await refused(auth_server.login(password="wrong"))
    login = await auth_server.login()
    await auth_server.update_user(admin, user.id, role=user_pb2.ROLE_MANAGER)
    await auth_server.update_user(admin, user.id, disabled=True)
    await refused(auth_server.refresh(login.refresh_token))
    events = (await list_events(auth_server, admin, subject_id=user.id)).events
    assert [(event.kind, event.actor_id) for event in reversed(events)] == [
        ("registered", ""),
        ("login_failed", ""),
        ("logged_in", user.id),
        ("role_changed", ada),
        ("user_disabled", ada),
    ]
    assert {(detail.name, detail.value) for detail in events[1].details} == {("old", "user"), ("new", "manager")}
    assert all(event.request_id and event.occurred_at.ToSeconds() for event in events)


async def test_events_are_paged_newest_first(auth_server, admin):
    for number in range(3):
        await auth_server.register(f"user{number}")
    kinds: list[str] = []
    token = ""
    while not kinds or token:
        page = await list_events(auth_server, admin, page_size=2, page_token=token)
        kinds += [event.kind for event in page.events]
        token = page.next_page_token
    assert kinds == ["registered"] * 3 + ["logged_in", "registered"]


async def test_events_hold_no_secret_and_no_client_input(auth_server, admin):
    user = await auth_server.register(password="canary of a password")
    login = await auth_server.login(password="canary of a password")
    code = await auth_server.reset_code(admin, user.id)
    await auth_server.reset_password(code, "canary of another")
    await refused(auth_server.login("canary\x1b]0;evil\x07@example.com", "x"))
    await auth_server.update_me(admin, username="canary\N{FULLWIDTH LATIN SMALL LETTER A}")
    log_text = str(await list_events(auth_server, admin))
    secrets = ["canary", code, login.access_token, login.refresh_token, PASSWORD, "\x1b", "sonu"]
    assert [secret for secret in secrets if secret in log_text] == []
    assert "password_reset" in log_text


def stored_kinds(database) -> list[str]:
    with psycopg.connect(database.administrator_url) as connection:
        return [kind for (kind,) in connection.execute("SELECT kind FROM auth.security_events ORDER BY kind")]


def write_events(database, **days_ago: int) -> None:
    """Insert an event of each kind, with its age in days."""
    with psycopg.connect(database.administrator_url) as connection:
        for kind, days in days_ago.items():
            connection.execute(
                "INSERT INTO auth.security_events (id, occurred_at, kind, request_id, details)"
                " VALUES (gen_random_uuid(), now() - %s * interval '1 day', %s, '', '{}')",
                [days, kind],
            )


async def test_events_are_deleted_after_the_retention(database):
    write_events(database, recent=1, last_month=40, last_quarter=119, before_that=121, years_ago=2000)
    async with running_auth_server(make_settings(database.auth_url, security_event_days=120)):
        await until(lambda: stored_kinds(database) == ["last_month", "last_quarter", "recent"])


async def test_old_events_are_deleted_in_batches(database):
    with psycopg.connect(database.administrator_url) as connection:
        connection.execute(
            "INSERT INTO auth.security_events (id, occurred_at, kind, request_id, details)"
            " SELECT gen_random_uuid(), now() - interval '500 days', 'old', '', '{}' FROM generate_series(1, 2500)"
        )
    async with open_use_cases(make_settings(database.auth_url)) as use_cases:
        assert await use_cases.operators.delete_expired_events() == 2500
    assert stored_kinds(database) == []


async def test_event_retention_has_a_minimum(database):
    """The settings reject a retention of less than 90 days."""
    with pytest.raises(ValidationError):
        make_settings(database.auth_url, security_event_days=89)


async def test_only_admins_list_events(auth_server):
    await auth_server.register()
    token = (await auth_server.login()).access_token
    status = await refused(list_events(auth_server, token))
    assert status.code == grpc.StatusCode.PERMISSION_DENIED


async def test_subject_filter_must_be_an_id(auth_server, admin):
    status = await refused(list_events(auth_server, admin, subject_id="sonu"))
    assert (status.code, [violation.field for violation in status.violations]) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        ["subject_id"],
    )
