"""Register, as a stranger meets it."""

import asyncio
from datetime import UTC, datetime, timedelta

import grpc
import psycopg
import pytest
from pydantic import ValidationError
from taskmanager.auth.v1 import user_pb2

from tests.integration.auth_service.door import PASSWORD, opened, settings_for
from tests.support.grpc_calls import refused


def accounts(database):
    with psycopg.connect(database.administrator_url) as connection:
        return connection.execute("SELECT username, email, password_hash FROM auth.users").fetchall()


async def test_a_new_account_is_answered_as_it_was_asked_for_and_is_a_users(door):
    user = await door.register("Sonu", email="Sonu@Example.com")
    assert (user.username, user.email, user.role) == ("Sonu", "Sonu@Example.com", user_pb2.ROLE_USER)
    assert not user.disabled
    assert abs(user.created_at.ToDatetime(UTC) - datetime.now(UTC)) < timedelta(minutes=1)


async def test_asking_for_the_role_user_is_fine(door):
    assert (await door.register(role=user_pb2.ROLE_USER)).role == user_pb2.ROLE_USER


@pytest.mark.parametrize("role", [user_pb2.ROLE_MANAGER, user_pb2.ROLE_ADMIN])
async def test_no_one_registers_as_more_than_a_user(door, database, role):
    status = await refused(door.register(role=role))
    assert (status.code, status.reason) == (grpc.StatusCode.PERMISSION_DENIED, "ROLE_NOT_GRANTABLE")
    assert [violation.field for violation in status.violations] == ["role"]
    assert accounts(database) == []


@pytest.mark.parametrize("role", [4, 99, -1])
async def test_a_role_that_the_contract_lacks_is_a_wrong_argument(door, role):
    status = await refused(door.register(role=role))
    assert (status.code, status.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "UNKNOWN_ROLE")


async def test_everything_that_is_wrong_is_said_at_once(door):
    status = await refused(door.register("", email="nobody", password="short", role=99))
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
async def test_a_username_that_no_one_could_tell_from_another_is_refused_by_name(door, username):
    status = await refused(door.register(username, email="someone@example.com"))
    assert status.code == grpc.StatusCode.INVALID_ARGUMENT
    assert [violation.field for violation in status.violations] == ["username"]


@pytest.mark.parametrize("email", ["plain", "a@b", "@b.com", "a b@c.com", "a\0@b.com", "a@@b.com"], ids=ascii)
async def test_an_email_that_is_none_is_refused_by_name(door, email):
    status = await refused(door.register(email=email))
    assert (status.code, status.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_EMAIL")


@pytest.mark.parametrize("username", ["sonu", "SONU", "\uff53\uff4f\uff4e\uff55"])
async def test_a_username_is_taken_however_it_is_spelt(door, username):
    await door.register("Sonu")
    status = await refused(door.register(username, email="other@example.com"))
    assert (status.code, status.reason) == (grpc.StatusCode.ALREADY_EXISTS, "USERNAME_TAKEN")
    assert [violation.field for violation in status.violations] == ["username"]


async def test_an_email_is_taken_whatever_its_letter_case(door):
    await door.register("sonu", email="sonu@example.com")
    status = await refused(door.register("other", email="SONU@EXAMPLE.COM"))
    assert (status.code, status.reason) == (grpc.StatusCode.ALREADY_EXISTS, "EMAIL_TAKEN")


async def test_fifty_registrations_of_one_username_at_once_make_one_account(door, database):
    attempts = [door.register("sonu", email=f"sonu{number}@example.com") for number in range(50)]
    answers = await asyncio.gather(*attempts, return_exceptions=True)
    refusals = [answer for answer in answers if isinstance(answer, grpc.aio.AioRpcError)]
    assert len(answers) - len(refusals) == 1
    assert {refusal.code() for refusal in refusals} == {grpc.StatusCode.ALREADY_EXISTS}
    assert len(accounts(database)) == 1


async def test_a_password_of_1024_bytes_works_whole_and_one_of_1025_is_refused(door):
    longest = "ä" * 511 + "xy"
    await door.register(password=longest)
    assert (await door.login(password=longest)).access_token
    assert (await refused(door.login(password=longest[:-1]))).reason == "INVALID_CREDENTIALS"
    status = await refused(door.register("other", password=longest + "z"))
    assert status.reason == "PASSWORD_TOO_LONG"


async def test_a_password_is_stored_as_an_argon2id_hash_and_nowhere_else(door, database):
    await door.register(password=PASSWORD)
    [(_, _, password_hash)] = accounts(database)
    assert password_hash.startswith("$argon2id$v=19$m=8,t=1,p=1$")
    assert PASSWORD not in password_hash


@pytest.mark.parametrize("password", ["password1234", "PassWord1234", "aaaaaaaaaaaa", "qwertyuiop123"])
async def test_a_password_that_everyone_tries_first_is_refused(door, password):
    assert (await refused(door.register(password=password))).reason == "PASSWORD_TOO_COMMON"


async def test_a_password_of_the_operators_own_list_is_refused_however_it_is_spelt(database, tmp_path):
    words = tmp_path / "blocklist.txt"
    words.write_text("Acme Widgets 2026\n\nstraße der äpfel\n", encoding="utf-8")
    async with opened(settings_for(database.auth_url, password_blocklist_file=words)) as door:
        for password in ("acme widgets 2026", "STRASSE DER ÄPFEL"):
            assert (await refused(door.register(password=password))).reason == "PASSWORD_TOO_COMMON"
        assert (await door.register(password="acme widgets 2027")).id


async def test_a_list_of_passwords_that_cannot_be_read_is_told_at_the_start(database, tmp_path):
    (tmp_path / "latin-1.txt").write_bytes("äpfel".encode("latin-1"))
    for name in ("latin-1.txt", "missing.txt"):
        with pytest.raises(ValidationError):
            settings_for(database.auth_url, password_blocklist_file=tmp_path / name)


async def test_a_password_that_is_the_email_is_refused(door):
    status = await refused(door.register(email="sonu@example.com", password="Sonu@example.com"))
    assert status.reason == "PASSWORD_REPEATS_ACCOUNT"


async def test_the_products_own_example_works_under_the_local_rules(database):
    relaxed = settings_for(database.auth_url, password_min_length=6, password_blocklist=False)
    async with opened(relaxed) as door:
        assert (await door.register("sonu", password="test123", role=user_pb2.ROLE_USER)).username == "sonu"
        assert (await refused(door.register("other", password="test1"))).reason == "PASSWORD_TOO_SHORT"
