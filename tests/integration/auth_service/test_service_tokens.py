"""Access tokens for service credentials."""

import asyncio

import grpc
import jwt
import psycopg

from tests.support.grpc_calls import refused


def rejections(database) -> list[tuple[str | None, dict[str, str], str]]:
    """Return service name, details and request id of each rejection, in order."""
    with psycopg.connect(database.administrator_url) as connection:
        return connection.execute(
            "SELECT name, details, request_id FROM auth.security_events AS events"
            " LEFT JOIN auth.service_accounts AS services ON services.id = subject_id"
            " WHERE kind = 'service_credential_rejected' ORDER BY events.id"
        ).fetchall()


async def test_service_token_has_scopes_and_no_role(auth_server):
    credential = await auth_server.create_service("reports", "trust:read", "tasks:read")
    response = await auth_server.service_token(credential)
    assert (response.token_type, response.expires_in) == ("Bearer", 900)
    assert list(response.scopes) == ["tasks:read", "trust:read"]
    claims = jwt.decode(response.access_token, options={"verify_signature": False})
    assert claims["scope"] == "tasks:read trust:read"
    assert "role" not in claims
    assert (await auth_server.trust_state(response.access_token)).keys


async def test_all_wrong_credentials_get_the_same_status(auth_server, database):
    """A malformed, unknown, wrong or disabled credential gets the same response, so that it reveals nothing."""
    credential = await auth_server.create_service("reports", "tasks:read")
    disabled = await auth_server.create_service("retired", "tasks:read")
    with psycopg.connect(database.administrator_url) as connection:
        connection.execute("UPDATE auth.service_accounts SET disabled = true WHERE name = 'retired'")
    last = "A" if credential[-1] != "A" else "B"
    secret = credential.partition(".")[2]
    malformed = [
        "reports",
        "reports.",
        ".",
        "reports.short",
        credential[:-1] + last,
        f"nobody.{secret}",
        "a\0b." + secret,
    ]
    statuses = {await refused(auth_server.service_token(text)) for text in [*malformed, disabled]}
    assert {(status.code, status.reason) for status in statuses} == {
        (grpc.StatusCode.UNAUTHENTICATED, "INVALID_SERVICE_CREDENTIAL")
    }
    assert len(statuses) == 1


async def test_rejected_credentials_are_security_events(auth_server, database):
    """Each kind of rejected credential is a security event with its reason, and without the credential."""
    credential = await auth_server.create_service("reports", "tasks:read")
    name, secret = credential.split(".")
    retired = await auth_server.create_service("retired", "tasks:read")
    with psycopg.connect(database.administrator_url) as connection:
        connection.execute("UPDATE auth.service_accounts SET disabled = true WHERE name = 'retired'")
    wrong_secret = f"{name}.{secret[:-1]}{'A' if secret[-1] != 'A' else 'B'}"
    for wrong_credential in (wrong_secret, retired, f"nobody.{secret}", "canary of a password"):
        await refused(auth_server.service_token(wrong_credential))
    await auth_server.service_token(credential)
    rejected = rejections(database)
    assert [(account, details["reason"]) for account, details, _ in rejected] == [
        ("reports", "wrong secret"),
        ("retired", "disabled"),
        (None, "unknown service"),
        (None, "malformed"),
    ]
    log_text = str(rejected)
    assert [text for text in (secret[:-1], "canary", "nobody", retired.split(".")[1]) if text in log_text] == []
    assert all(request_id for _, _, request_id in rejected)


async def test_rejected_credential_events_are_limited(auth_server, database):
    """Rejected credentials of unknown services do not fill the log, and do not hide events of a known service."""
    secret = (await auth_server.create_service("reports", "tasks:read")).partition(".")[2]
    await asyncio.gather(*(refused(auth_server.service_token(f"nobody{number}.{secret}")) for number in range(50)))
    assert [account for account, _, _ in rejections(database)] == [None] * 10
    await refused(auth_server.service_token(f"reports.{secret[::-1]}"))
    assert rejections(database)[-1][0] == "reports"


async def test_empty_credential_is_a_missing_field(auth_server):
    status = await refused(auth_server.service_token(""))
    assert (status.code, status.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "MISSING_FIELD")
    assert [violation.field for violation in status.violations] == ["credential"]


async def test_service_token_is_rejected_for_a_person_rpc(auth_server):
    token = (await auth_server.service_token(await auth_server.create_service("reports", "users:read"))).access_token
    assert (await refused(auth_server.me(token))).code == grpc.StatusCode.PERMISSION_DENIED


async def test_service_token_without_the_scope_is_rejected(auth_server):
    token = (await auth_server.service_token(await auth_server.create_service("reports", "tasks:read"))).access_token
    assert (await refused(auth_server.trust_state(token))).code == grpc.StatusCode.PERMISSION_DENIED


async def test_service_secret_is_not_stored(auth_server, database):
    credential = await auth_server.create_service("reports", "tasks:read")
    with psycopg.connect(database.administrator_url) as connection:
        rows = connection.execute("SELECT service_accounts::text FROM auth.service_accounts").fetchall()
    assert len(rows) == 1
    assert credential.partition(".")[2] not in rows[0][0]
