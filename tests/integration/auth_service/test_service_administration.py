"""Service accounts in the hands of admins: what is taken away is gone within seconds."""

from uuid import uuid4

import grpc
import pytest
from taskmanager.auth.v1 import service_account_service_pb2 as pb

from auth_service.bootstrap import assembled
from auth_service.domain.service_accounts import ServiceCredential
from tests.support.grpc_calls import bearer, refused, until_refused


@pytest.fixture
async def admin(door):
    return bearer(await door.admin())


@pytest.fixture
async def made(door, admin):
    request = pb.CreateServiceAccountRequest(name="reports", scopes=["trust:read", "tasks:read"])
    return await door.services.CreateServiceAccount(request, metadata=admin)


async def test_a_service_account_is_made_with_a_credential_that_is_told_once(door, admin, made):
    assert (made.service_account.name, list(made.service_account.scopes)) == ("reports", ["tasks:read", "trust:read"])
    token = (await door.service_token(made.credential)).access_token
    assert (await door.trust_state(token)).keys
    listed = await door.services.ListServiceAccounts(pb.ListServiceAccountsRequest(), metadata=admin)
    assert list(listed.service_accounts) == [made.service_account]
    assert made.credential.partition(".")[2] not in str(listed)


async def test_service_accounts_come_in_pages(door, admin):
    for number in range(3):
        request = pb.CreateServiceAccountRequest(name=f"service{number}", scopes=["tasks:read"])
        await door.services.CreateServiceAccount(request, metadata=admin)
    found: list[str] = []
    token = ""
    while not found or token:
        asked = pb.ListServiceAccountsRequest(page_size=2, page_token=token)
        page = await door.services.ListServiceAccounts(asked, metadata=admin)
        found += [account.name for account in page.service_accounts]
        token = page.next_page_token
    assert found == ["service2", "service1", "service0"]


@pytest.mark.parametrize(
    ("name", "scopes", "reason"),
    [
        ("Reports", ["tasks:read"], "INVALID_SERVICE_NAME"),
        ("reports", [], "MISSING_FIELD"),
        ("reports", ["tasks:all"], "UNKNOWN_SCOPE"),
        ("reports", ["admin"], "UNKNOWN_SCOPE"),
    ],
)
async def test_a_service_account_that_cannot_be_meant_is_refused(door, admin, name, scopes, reason):
    request = pb.CreateServiceAccountRequest(name=name, scopes=scopes)
    status = await refused(door.services.CreateServiceAccount(request, metadata=admin))
    assert (status.code, status.reason) == (grpc.StatusCode.INVALID_ARGUMENT, reason)


async def test_a_name_is_taken_once(door, admin, made):
    request = pb.CreateServiceAccountRequest(name="reports", scopes=["tasks:read"])
    status = await refused(door.services.CreateServiceAccount(request, metadata=admin))
    assert (status.code, status.reason) == (grpc.StatusCode.ALREADY_EXISTS, "SERVICE_NAME_TAKEN")


async def test_a_disabled_service_is_out_within_seconds_and_back_when_it_is_enabled(door, admin, made):
    token = (await door.service_token(made.credential)).access_token
    await door.trust_state(token)
    disable = pb.DisableServiceAccountRequest(id=made.service_account.id)
    for _ in range(2):  # asking again changes nothing
        assert (await door.services.DisableServiceAccount(disable, metadata=admin)).disabled
    assert (await refused(door.service_token(made.credential))).reason == "INVALID_SERVICE_CREDENTIAL"
    assert (await until_refused(lambda: door.trust_state(token))).reason == "TOKEN_REVOKED"
    enable = pb.EnableServiceAccountRequest(id=made.service_account.id)
    assert not (await door.services.EnableServiceAccount(enable, metadata=admin)).disabled
    fresh = (await door.service_token(made.credential)).access_token
    assert (await door.trust_state(fresh)).keys
    assert (await refused(door.trust_state(token))).reason == "TOKEN_REVOKED"


async def test_a_rotated_credential_ends_the_old_one_and_its_tokens(door, admin, made):
    token = (await door.service_token(made.credential)).access_token
    request = pb.RotateServiceAccountRequest(id=made.service_account.id)
    rotated = await door.services.RotateServiceAccount(request, metadata=admin)
    assert rotated.service_account == made.service_account
    assert (await refused(door.service_token(made.credential))).reason == "INVALID_SERVICE_CREDENTIAL"
    assert (await until_refused(lambda: door.trust_state(token))).reason == "TOKEN_REVOKED"
    assert (await door.trust_state((await door.service_token(rotated.credential)).access_token)).keys


async def test_scopes_that_the_bootstrap_command_takes_away_end_old_tokens(door):
    credential = await door.create_service("reports", "trust:read")
    token = (await door.service_token(credential)).access_token
    async with assembled(door.settings) as use_cases:
        await use_cases.ensure_service_account(ServiceCredential.parse(credential), ["tasks:read"])
    assert (await until_refused(lambda: door.trust_state(token))).reason == "TOKEN_REVOKED"
    assert list((await door.service_token(credential)).scopes) == ["tasks:read"]


async def test_an_account_that_is_not_there_is_not_found(door, admin):
    missing = str(uuid4())
    for call in (
        door.services.RotateServiceAccount(pb.RotateServiceAccountRequest(id=missing), metadata=admin),
        door.services.DisableServiceAccount(pb.DisableServiceAccountRequest(id=missing), metadata=admin),
        door.services.EnableServiceAccount(pb.EnableServiceAccountRequest(id=missing), metadata=admin),
    ):
        status = await refused(call)
        assert (status.code, status.reason) == (grpc.StatusCode.NOT_FOUND, "SERVICE_ACCOUNT_NOT_FOUND")
