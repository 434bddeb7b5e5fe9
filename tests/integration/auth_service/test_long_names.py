"""Names of a size that costs: a letter with so many marks that putting them in order would take minutes.

The calls have deadlines that no machine misses whose service looks at the length first.
"""

import grpc
from prometheus_client import REGISTRY
from taskmanager.auth.v1 import auth_service_pb2, service_account_service_pb2, user_service_pb2

from tests.integration.auth_service.door import PASSWORD
from tests.support.grpc_calls import bearer, refused

MARKS = "a" + "\u0301" * 60_000 + "\u0316" * 60_000
SECONDS = 15


def reasons(status) -> set[tuple[str, str]]:
    return {(violation.field, violation.reason) for violation in status.violations}


async def login(door, email: str):
    request = auth_service_pb2.LoginRequest(email=email, password=PASSWORD)
    return await refused(door.auth.Login(request, timeout=SECONDS))


async def test_a_login_under_a_name_too_long_is_answered_as_a_strangers_after_the_same_work(door):
    answers, work = [], []
    for email in ("nobody@example.com", MARKS, MARKS + "@example.com", "x" * 600 + "\0"):
        before = REGISTRY.get_sample_value("auth_password_hashes_total") or 0
        answers.append(await login(door, email))
        work.append((REGISTRY.get_sample_value("auth_password_hashes_total") or 0) - before)
    assert {(answer.code, answer.reason) for answer in answers} == {
        (grpc.StatusCode.UNAUTHENTICATED, "INVALID_CREDENTIALS")
    }
    assert work == [1] * len(work)


async def test_attempts_under_names_too_long_are_counted_apart_as_those_on_strangers_are(door):
    guesses = [await login(door, MARKS) for _ in range(door.settings.login_attempts + 1)]
    assert [guess.reason for guess in guesses] == ["INVALID_CREDENTIALS"] * door.settings.login_attempts + [
        "TOO_MANY_ATTEMPTS"
    ]
    assert (await login(door, MARKS + "b")).reason == "INVALID_CREDENTIALS"


async def test_a_registration_under_names_too_long_is_refused_field_by_field(door):
    request = auth_service_pb2.RegisterRequest(username=MARKS, email=MARKS + "@example.com", password=PASSWORD)
    status = await refused(door.auth.Register(request, timeout=SECONDS))
    assert reasons(status) == {("username", "INVALID_USERNAME"), ("email", "INVALID_EMAIL")}


async def test_an_account_takes_no_name_too_long(door):
    await door.register()
    metadata = bearer((await door.login()).access_token)
    request = user_service_pb2.UpdateCurrentUserRequest(username=MARKS, email=MARKS + "@example.com")
    status = await refused(door.users.UpdateCurrentUser(request, metadata=metadata, timeout=SECONDS))
    assert reasons(status) == {("username", "INVALID_USERNAME"), ("email", "INVALID_EMAIL")}


async def test_nobody_is_found_under_a_name_too_long(door):
    metadata = bearer(await door.admin())
    looked_up = user_service_pb2.LookupUsersRequest(q=MARKS)
    assert not (await door.users.LookupUsers(looked_up, metadata=metadata, timeout=SECONDS)).users
    searched = user_service_pb2.ListUsersRequest(q=MARKS)
    assert not (await door.users.ListUsers(searched, metadata=metadata, timeout=SECONDS)).users


async def test_no_service_learns_of_a_name_too_long(door):
    credential = await door.create_service("reports", "users:read")
    metadata = bearer((await door.service_token(credential)).access_token)
    request = user_service_pb2.ResolveUserRequest(username=MARKS)
    status = await refused(door.users.ResolveUser(request, metadata=metadata, timeout=SECONDS))
    assert status.reason == "INVALID_USERNAME"


async def test_codes_tokens_and_credentials_too_long_are_none_of_ours(door):
    reset = auth_service_pb2.ResetPasswordRequest(reset_code=MARKS, new_password=PASSWORD)
    assert (await refused(door.auth.ResetPassword(reset, timeout=SECONDS))).reason == "INVALID_RESET_CODE"
    refresh = auth_service_pb2.RefreshTokenRequest(refresh_token=MARKS)
    assert (await refused(door.auth.RefreshToken(refresh, timeout=SECONDS))).reason == "INVALID_REFRESH_TOKEN"
    service = auth_service_pb2.IssueServiceTokenRequest(credential=f"{MARKS}.{MARKS}")
    assert (await refused(door.auth.IssueServiceToken(service, timeout=SECONDS))).reason == "INVALID_SERVICE_CREDENTIAL"


async def test_no_service_is_made_under_a_name_too_long(door):
    metadata = bearer(await door.admin())
    request = service_account_service_pb2.CreateServiceAccountRequest(name=MARKS, scopes=["users:read"])
    status = await refused(door.services.CreateServiceAccount(request, metadata=metadata, timeout=SECONDS))
    assert reasons(status) == {("name", "INVALID_SERVICE_NAME")}


async def test_a_name_whose_letters_and_marks_come_apart_is_still_the_same_name(door):
    await door.register("\u1112\u1161\u11ab" * 40, email="hana@example.com")
    assert (await door.me((await door.login("hana@example.com")).access_token)).username == "\ud55c" * 40
