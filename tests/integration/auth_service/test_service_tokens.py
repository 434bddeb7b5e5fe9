"""Service accounts: a credential becomes a token that opens what its scopes say."""

import asyncio

import grpc
import jwt
import psycopg

from tests.support.grpc_calls import refused


def refusals(database) -> list[tuple[str | None, dict[str, str], str]]:
    """Of which service, with which details and request id, in order."""
    with psycopg.connect(database.administrator_url) as connection:
        return connection.execute(
            "SELECT name, details, request_id FROM auth.security_events AS events"
            " LEFT JOIN auth.service_accounts AS services ON services.id = subject_id"
            " WHERE kind = 'service_refused' ORDER BY events.id"
        ).fetchall()


async def test_a_credential_becomes_a_token_with_scopes_and_no_role(door):
    credential = await door.create_service("reports", "trust:read", "tasks:read")
    answer = await door.service_token(credential)
    assert (answer.token_type, answer.expires_in) == ("Bearer", 900)
    assert list(answer.scopes) == ["tasks:read", "trust:read"]
    claims = jwt.decode(answer.access_token, options={"verify_signature": False})
    assert claims["scope"] == "tasks:read trust:read"
    assert "role" not in claims
    assert (await door.trust_state(answer.access_token)).keys


async def test_a_credential_that_fits_nothing_in_use_gets_one_answer_whatever_is_wrong_with_it(door, database):
    credential = await door.create_service("reports", "tasks:read")
    disabled = await door.create_service("retired", "tasks:read")
    with psycopg.connect(database.administrator_url) as connection:
        connection.execute("UPDATE auth.service_accounts SET disabled = true WHERE name = 'retired'")
    last = "A" if credential[-1] != "A" else "B"
    secret = credential.partition(".")[2]
    spoilt = ["reports", "reports.", ".", "reports.short", credential[:-1] + last, f"nobody.{secret}", "a\0b." + secret]
    answers = {await refused(door.service_token(text)) for text in [*spoilt, disabled]}
    assert {(answer.code, answer.reason) for answer in answers} == {
        (grpc.StatusCode.UNAUTHENTICATED, "INVALID_SERVICE_CREDENTIAL")
    }
    assert len(answers) == 1


async def test_each_kind_of_refused_credential_is_a_security_event_without_what_was_sent(door, database):
    credential = await door.create_service("reports", "tasks:read")
    name, secret = credential.split(".")
    retired = await door.create_service("retired", "tasks:read")
    with psycopg.connect(database.administrator_url) as connection:
        connection.execute("UPDATE auth.service_accounts SET disabled = true WHERE name = 'retired'")
    another = f"{name}.{secret[:-1]}{'A' if secret[-1] != 'A' else 'B'}"
    for refusal in (another, retired, f"nobody.{secret}", "canary of a password"):
        await refused(door.service_token(refusal))
    await door.service_token(credential)
    found = refusals(database)
    assert [(account, details["why"]) for account, details, _ in found] == [
        ("reports", "another secret"),
        ("retired", "disabled"),
        (None, "unknown service"),
        (None, "malformed"),
    ]
    told = str(found)
    assert [text for text in (secret[:-1], "canary", "nobody", retired.split(".")[1]) if text in told] == []
    assert all(request_id for _, _, request_id in found)


async def test_a_stranger_with_many_wrong_credentials_does_not_fill_the_log_and_hides_no_other_services(door, database):
    secret = (await door.create_service("reports", "tasks:read")).partition(".")[2]
    await asyncio.gather(*(refused(door.service_token(f"nobody{number}.{secret}")) for number in range(50)))
    assert [account for account, _, _ in refusals(database)] == [None] * 10
    await refused(door.service_token(f"reports.{secret[::-1]}"))
    assert refusals(database)[-1][0] == "reports"


async def test_no_credential_is_a_missing_field(door):
    status = await refused(door.service_token(""))
    assert (status.code, status.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "MISSING_FIELD")
    assert [violation.field for violation in status.violations] == ["credential"]


async def test_a_services_token_is_no_persons(door):
    token = (await door.service_token(await door.create_service("reports", "users:read"))).access_token
    assert (await refused(door.me(token))).code == grpc.StatusCode.PERMISSION_DENIED


async def test_a_services_token_without_the_scope_is_turned_away(door):
    token = (await door.service_token(await door.create_service("reports", "tasks:read"))).access_token
    assert (await refused(door.trust_state(token))).code == grpc.StatusCode.PERMISSION_DENIED


async def test_the_secret_is_nowhere_in_the_database(door, database):
    credential = await door.create_service("reports", "tasks:read")
    with psycopg.connect(database.administrator_url) as connection:
        rows = connection.execute("SELECT service_accounts::text FROM auth.service_accounts").fetchall()
    assert len(rows) == 1
    assert credential.partition(".")[2] not in rows[0][0]
