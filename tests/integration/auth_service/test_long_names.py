"""Names with so many combining marks that normalizing them would take minutes.

Each call has a deadline that the service meets only if it checks the length first.
"""

import grpc
from prometheus_client import REGISTRY
from taskmanager.auth.v1 import auth_service_pb2, service_account_service_pb2, user_service_pb2

from tests.integration.auth_service.auth_server import PASSWORD
from tests.support.grpc_calls import bearer, refused

MARKS = "a" + "\u0301" * 60_000 + "\u0316" * 60_000
TIMEOUT_SECONDS = 15


def violations_of(status) -> set[tuple[str, str]]:
    return {(violation.field, violation.reason) for violation in status.violations}


async def login(auth_server, email: str):
    request = auth_service_pb2.LoginRequest(email=email, password=PASSWORD)
    return await refused(auth_server.auth.Login(request, timeout=TIMEOUT_SECONDS))


async def test_login_with_a_long_email_fails_as_unknown(auth_server):
    """A login with an email that is too long gets the response of an unknown email, after the same work."""
    responses, hash_counts = [], []
    for email in ("nobody@example.com", MARKS, MARKS + "@example.com", "x" * 600 + "\0"):
        before = REGISTRY.get_sample_value("auth_password_hashes_total") or 0
        responses.append(await login(auth_server, email))
        hash_counts.append((REGISTRY.get_sample_value("auth_password_hashes_total") or 0) - before)
    assert {(response.code, response.reason) for response in responses} == {
        (grpc.StatusCode.UNAUTHENTICATED, "INVALID_CREDENTIALS")
    }
    assert hash_counts == [1] * len(hash_counts)


async def test_attempts_with_long_emails_count_separately(auth_server):
    guesses = [await login(auth_server, MARKS) for _ in range(auth_server.settings.login_attempts + 1)]
    assert [guess.reason for guess in guesses] == ["INVALID_CREDENTIALS"] * auth_server.settings.login_attempts + [
        "TOO_MANY_ATTEMPTS"
    ]
    assert (await login(auth_server, MARKS + "b")).reason == "INVALID_CREDENTIALS"


async def test_registration_rejects_long_names(auth_server):
    request = auth_service_pb2.RegisterRequest(username=MARKS, email=MARKS + "@example.com", password=PASSWORD)
    status = await refused(auth_server.auth.Register(request, timeout=TIMEOUT_SECONDS))
    assert violations_of(status) == {("username", "INVALID_USERNAME"), ("email", "INVALID_EMAIL")}


async def test_update_rejects_long_names(auth_server):
    await auth_server.register()
    metadata = bearer((await auth_server.login()).access_token)
    request = user_service_pb2.UpdateCurrentUserRequest(username=MARKS, email=MARKS + "@example.com")
    status = await refused(auth_server.users.UpdateCurrentUser(request, metadata=metadata, timeout=TIMEOUT_SECONDS))
    assert violations_of(status) == {("username", "INVALID_USERNAME"), ("email", "INVALID_EMAIL")}


async def test_searches_for_long_names_find_nothing(auth_server):
    metadata = bearer(await auth_server.create_admin())
    looked_up = user_service_pb2.LookupUsersRequest(q=MARKS)
    assert not (await auth_server.users.LookupUsers(looked_up, metadata=metadata, timeout=TIMEOUT_SECONDS)).users
    searched = user_service_pb2.ListUsersRequest(q=MARKS)
    assert not (await auth_server.users.ListUsers(searched, metadata=metadata, timeout=TIMEOUT_SECONDS)).users


async def test_resolve_rejects_long_names(auth_server):
    credential = await auth_server.create_service("reports", "users:read")
    metadata = bearer((await auth_server.service_token(credential)).access_token)
    request = user_service_pb2.ResolveUserRequest(username=MARKS)
    status = await refused(auth_server.users.ResolveUser(request, metadata=metadata, timeout=TIMEOUT_SECONDS))
    assert status.reason == "INVALID_USERNAME"


async def test_long_codes_tokens_and_credentials_are_rejected(auth_server):
    reset = auth_service_pb2.ResetPasswordRequest(reset_code=MARKS, new_password=PASSWORD)
    assert (
        await refused(auth_server.auth.ResetPassword(reset, timeout=TIMEOUT_SECONDS))
    ).reason == "INVALID_RESET_CODE"
    refresh = auth_service_pb2.RefreshTokenRequest(refresh_token=MARKS)
    assert (
        await refused(auth_server.auth.RefreshToken(refresh, timeout=TIMEOUT_SECONDS))
    ).reason == "INVALID_REFRESH_TOKEN"
    service = auth_service_pb2.IssueServiceTokenRequest(credential=f"{MARKS}.{MARKS}")
    assert (
        await refused(auth_server.auth.IssueServiceToken(service, timeout=TIMEOUT_SECONDS))
    ).reason == "INVALID_SERVICE_CREDENTIAL"


async def test_create_service_rejects_long_names(auth_server):
    metadata = bearer(await auth_server.create_admin())
    request = service_account_service_pb2.CreateServiceAccountRequest(name=MARKS, scopes=["users:read"])
    status = await refused(
        auth_server.service_accounts.CreateServiceAccount(request, metadata=metadata, timeout=TIMEOUT_SECONDS)
    )
    assert violations_of(status) == {("name", "INVALID_SERVICE_NAME")}


async def test_decomposed_username_is_composed(auth_server):
    await auth_server.register("\u1112\u1161\u11ab" * 40, email="hana@example.com")
    assert (await auth_server.me((await auth_server.login("hana@example.com")).access_token)).username == "\ud55c" * 40
