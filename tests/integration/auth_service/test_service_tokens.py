"""Service accounts: a credential becomes a token that opens what its scopes say."""

import grpc
import jwt
import psycopg

from tests.integration.auth_service.door import refused


async def test_a_credential_becomes_a_token_with_scopes_and_no_role(door):
    credential = await door.create_service("reports", "trust:read", "tasks:read")
    answer = await door.service_token(credential)
    assert (answer.token_type, answer.expires_in) == ("Bearer", 900)
    assert list(answer.scopes) == ["tasks:read", "trust:read"]
    claims = jwt.decode(answer.access_token, options={"verify_signature": False})
    assert claims["scope"] == "tasks:read trust:read"
    assert "role" not in claims
    assert (await door.trust_state(answer.access_token)).keys


async def test_a_credential_that_fits_nothing_in_use_gets_one_answer_whatever_is_wrong_with_it(door, databases):
    credential = await door.create_service("reports", "tasks:read")
    disabled = await door.create_service("retired", "tasks:read")
    with psycopg.connect(databases.administrator_url) as connection:
        connection.execute("UPDATE auth.service_accounts SET disabled = true WHERE name = 'retired'")
    last = "A" if credential[-1] != "A" else "B"
    secret = credential.partition(".")[2]
    spoilt = ["reports", "reports.", ".", "reports.short", credential[:-1] + last, f"nobody.{secret}", "a\0b." + secret]
    answers = {await refused(door.service_token(text)) for text in [*spoilt, disabled]}
    assert {(answer.code, answer.reason) for answer in answers} == {
        (grpc.StatusCode.UNAUTHENTICATED, "INVALID_SERVICE_CREDENTIAL")
    }
    assert len(answers) == 1


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


async def test_the_secret_is_nowhere_in_the_database(door, databases):
    credential = await door.create_service("reports", "tasks:read")
    with psycopg.connect(databases.administrator_url) as connection:
        rows = connection.execute("SELECT service_accounts::text FROM auth.service_accounts").fetchall()
    assert len(rows) == 1
    assert credential.partition(".")[2] not in rows[0][0]
