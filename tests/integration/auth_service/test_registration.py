"""Registration of accounts."""

import asyncio
from datetime import UTC, datetime, timedelta

import grpc
import psycopg
import pytest
from pydantic import ValidationError
from taskmanager.auth.v1 import user_pb2

from tests.integration.auth_service.auth_server import PASSWORD, make_settings, running_auth_server
from tests.support.grpc_calls import refused


def accounts(database):
    with psycopg.connect(database.administrator_url) as connection:
        return connection.execute("SELECT username, email, password_hash FROM auth.users").fetchall()


async def test_registration_returns_the_account(auth_server):
    user = await auth_server.register("Sonu", email="Sonu@Example.com")
    assert (user.username, user.email, user.role) == ("Sonu", "Sonu@Example.com", user_pb2.ROLE_USER)
    assert not user.disabled
    assert abs(user.created_at.ToDatetime(UTC) - datetime.now(UTC)) < timedelta(minutes=1)


async def test_registration_accepts_the_role_user(auth_server):
    assert (await auth_server.register(role=user_pb2.ROLE_USER)).role == user_pb2.ROLE_USER


@pytest.mark.parametrize("role", [user_pb2.ROLE_MANAGER, user_pb2.ROLE_ADMIN])
async def test_registration_rejects_higher_roles(auth_server, database, role):
    status = await refused(auth_server.register(role=role))
    assert (status.code, status.reason) == (grpc.StatusCode.PERMISSION_DENIED, "ROLE_NOT_GRANTABLE")
    assert [violation.field for violation in status.violations] == ["role"]
    assert accounts(database) == []


@pytest.mark.parametrize("role", [4, 99, -1])
async def test_registration_rejects_unknown_roles(auth_server, role):
    status = await refused(auth_server.register(role=role))
    assert (status.code, status.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "UNKNOWN_ROLE")


async def test_registration_reports_every_violation(auth_server):
    status = await refused(auth_server.register("", email="nobody", password="short", role=99))
    assert status.code == grpc.StatusCode.INVALID_ARGUMENT
    assert [(violation.field, violation.reason) for violation in status.violations] == [
        ("username", "MISSING_FIELD"),
        ("email", "INVALID_EMAIL"),
        ("password", "PASSWORD_TOO_SHORT"),
        ("role", "UNKNOWN_ROLE"),
    ]


@pytest.mark.parametrize(
    "username", ["a\0b", "\0", "zero\u200bwidth", "tab\tbed", "two\nlines", "x" * 65, " ", "\u3164"], ids=ascii
)
async def test_registration_rejects_confusable_usernames(auth_server, username):
    status = await refused(auth_server.register(username, email="someone@example.com"))
    assert status.code == grpc.StatusCode.INVALID_ARGUMENT
    assert [violation.field for violation in status.violations] == ["username"]


@pytest.mark.parametrize("email", ["plain", "a@b", "@b.com", "a b@c.com", "a\0@b.com", "a@@b.com"], ids=ascii)
async def test_registration_rejects_malformed_emails(auth_server, email):
    status = await refused(auth_server.register(email=email))
    assert (status.code, status.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_EMAIL")


@pytest.mark.parametrize("username", ["sonu", "SONU", "\uff53\uff4f\uff4e\uff55"])
async def test_usernames_are_unique_in_any_spelling(auth_server, username):
    await auth_server.register("Sonu")
    status = await refused(auth_server.register(username, email="other@example.com"))
    assert (status.code, status.reason) == (grpc.StatusCode.ALREADY_EXISTS, "USERNAME_TAKEN")
    assert [violation.field for violation in status.violations] == ["username"]


async def test_emails_are_unique_in_any_case(auth_server):
    await auth_server.register("sonu", email="sonu@example.com")
    status = await refused(auth_server.register("other", email="SONU@EXAMPLE.COM"))
    assert (status.code, status.reason) == (grpc.StatusCode.ALREADY_EXISTS, "EMAIL_TAKEN")


async def test_concurrent_registrations_create_one_account(auth_server, database):
    attempts = [auth_server.register("sonu", email=f"sonu{number}@example.com") for number in range(50)]
    responses = await asyncio.gather(*attempts, return_exceptions=True)
    errors = [response for response in responses if isinstance(response, grpc.aio.AioRpcError)]
    assert len(responses) - len(errors) == 1
    assert {error.code() for error in errors} == {grpc.StatusCode.ALREADY_EXISTS}
    assert len(accounts(database)) == 1


async def test_password_limit_is_1024_bytes_without_truncation(auth_server):
    longest = "ä" * 511 + "xy"
    await auth_server.register(password=longest)
    assert (await auth_server.login(password=longest)).access_token
    assert (await refused(auth_server.login(password=longest[:-1]))).reason == "INVALID_CREDENTIALS"
    status = await refused(auth_server.register("other", password=longest + "z"))
    assert status.reason == "PASSWORD_TOO_LONG"


async def test_password_is_stored_as_an_argon2id_hash(auth_server, database):
    await auth_server.register(password=PASSWORD)
    [(_, _, password_hash)] = accounts(database)
    assert password_hash.startswith("$argon2id$v=19$m=8,t=1,p=1$")
    assert PASSWORD not in password_hash


@pytest.mark.parametrize("password", ["password1234", "PassWord1234", "aaaaaaaaaaaa", "qwertyuiop123"])
async def test_common_passwords_are_rejected(auth_server, password):
    assert (await refused(auth_server.register(password=password))).reason == "PASSWORD_TOO_COMMON"


async def test_blocklist_file_rejects_passwords_in_any_case(database, tmp_path):
    blocklist = tmp_path / "blocklist.txt"
    blocklist.write_text("Acme Widgets 2026\n\nstraße der äpfel\n", encoding="utf-8")
    async with running_auth_server(make_settings(database.auth_url, password_blocklist_file=blocklist)) as auth_server:
        for password in ("acme widgets 2026", "STRASSE DER ÄPFEL"):
            assert (await refused(auth_server.register(password=password))).reason == "PASSWORD_TOO_COMMON"
        assert (await auth_server.register(password="acme widgets 2027")).id


async def test_unreadable_blocklist_file_fails_at_start(database, tmp_path):
    (tmp_path / "latin-1.txt").write_bytes("äpfel".encode("latin-1"))
    for name in ("latin-1.txt", "missing.txt"):
        with pytest.raises(ValidationError):
            make_settings(database.auth_url, password_blocklist_file=tmp_path / name)


async def test_password_equal_to_the_email_is_rejected(auth_server):
    status = await refused(auth_server.register(email="sonu@example.com", password="Sonu@example.com"))
    assert status.reason == "PASSWORD_REPEATS_ACCOUNT"


async def test_documented_example_works_in_the_local_profile(database):
    relaxed_settings = make_settings(database.auth_url, password_min_length=6, password_blocklist=False)
    async with running_auth_server(relaxed_settings) as auth_server:
        assert (await auth_server.register("sonu", password="test123", role=user_pb2.ROLE_USER)).username == "sonu"
        assert (await refused(auth_server.register("other", password="test1"))).reason == "PASSWORD_TOO_SHORT"
