"""Administration of service accounts. Revocations take effect within seconds."""

from uuid import uuid4

import grpc
import pytest
from taskmanager.auth.v1 import service_account_service_pb2 as pb

from auth_service.bootstrap import open_use_cases
from auth_service.domain.service_accounts import ServiceCredential
from tests.support.grpc_calls import bearer, refused, until_refused


@pytest.fixture
async def admin(auth_server):
    return bearer(await auth_server.create_admin())


@pytest.fixture
async def issued(auth_server, admin):
    request = pb.CreateServiceAccountRequest(name="reports", scopes=["trust:read", "tasks:read"])
    return await auth_server.service_accounts.CreateServiceAccount(request, metadata=admin)


async def test_create_returns_the_credential_once(auth_server, admin, issued):
    assert (issued.service_account.name, list(issued.service_account.scopes)) == (
        "reports",
        ["tasks:read", "trust:read"],
    )
    token = (await auth_server.service_token(issued.credential)).access_token
    assert (await auth_server.trust_state(token)).keys
    listed = await auth_server.service_accounts.ListServiceAccounts(pb.ListServiceAccountsRequest(), metadata=admin)
    assert list(listed.service_accounts) == [issued.service_account]
    assert issued.credential.partition(".")[2] not in str(listed)


async def test_service_accounts_are_paged(auth_server, admin):
    for number in range(3):
        request = pb.CreateServiceAccountRequest(name=f"service{number}", scopes=["tasks:read"])
        await auth_server.service_accounts.CreateServiceAccount(request, metadata=admin)
    names: list[str] = []
    token = ""
    while not names or token:
        list_request = pb.ListServiceAccountsRequest(page_size=2, page_token=token)
        page = await auth_server.service_accounts.ListServiceAccounts(list_request, metadata=admin)
        names += [account.name for account in page.service_accounts]
        token = page.next_page_token
    assert names == ["service2", "service1", "service0"]


@pytest.mark.parametrize(
    ("name", "scopes", "reason"),
    [
        ("Reports", ["tasks:read"], "INVALID_SERVICE_NAME"),
        ("reports", [], "MISSING_FIELD"),
        ("reports", ["tasks:all"], "UNKNOWN_SCOPE"),
        ("reports", ["admin"], "UNKNOWN_SCOPE"),
    ],
)
async def test_invalid_service_accounts_are_rejected(auth_server, admin, name, scopes, reason):
    request = pb.CreateServiceAccountRequest(name=name, scopes=scopes)
    status = await refused(auth_server.service_accounts.CreateServiceAccount(request, metadata=admin))
    assert (status.code, status.reason) == (grpc.StatusCode.INVALID_ARGUMENT, reason)


async def test_service_names_are_unique(auth_server, admin, issued):
    request = pb.CreateServiceAccountRequest(name="reports", scopes=["tasks:read"])
    status = await refused(auth_server.service_accounts.CreateServiceAccount(request, metadata=admin))
    assert (status.code, status.reason) == (grpc.StatusCode.ALREADY_EXISTS, "SERVICE_NAME_TAKEN")


async def test_disabled_service_gets_no_tokens_until_enabled(auth_server, admin, issued):
    """Disabling revokes the service's tokens within seconds. Enabling allows new tokens; the old ones stay revoked."""
    token = (await auth_server.service_token(issued.credential)).access_token
    await auth_server.trust_state(token)
    disable = pb.DisableServiceAccountRequest(id=issued.service_account.id)
    for _ in range(2):  # a repeated call changes nothing
        assert (await auth_server.service_accounts.DisableServiceAccount(disable, metadata=admin)).disabled
    assert (await refused(auth_server.service_token(issued.credential))).reason == "INVALID_SERVICE_CREDENTIAL"
    assert (await until_refused(lambda: auth_server.trust_state(token))).reason == "TOKEN_REVOKED"
    enable = pb.EnableServiceAccountRequest(id=issued.service_account.id)
    assert not (await auth_server.service_accounts.EnableServiceAccount(enable, metadata=admin)).disabled
    fresh = (await auth_server.service_token(issued.credential)).access_token
    assert (await auth_server.trust_state(fresh)).keys
    assert (await refused(auth_server.trust_state(token))).reason == "TOKEN_REVOKED"


async def test_rotation_revokes_the_old_credential_and_tokens(auth_server, admin, issued):
    token = (await auth_server.service_token(issued.credential)).access_token
    request = pb.RotateServiceAccountRequest(id=issued.service_account.id)
    rotated = await auth_server.service_accounts.RotateServiceAccount(request, metadata=admin)
    assert rotated.service_account == issued.service_account
    assert (await refused(auth_server.service_token(issued.credential))).reason == "INVALID_SERVICE_CREDENTIAL"
    assert (await until_refused(lambda: auth_server.trust_state(token))).reason == "TOKEN_REVOKED"
    assert (await auth_server.trust_state((await auth_server.service_token(rotated.credential)).access_token)).keys


async def test_removed_scopes_revoke_old_tokens(auth_server):
    """Scopes that the bootstrap command removes revoke the service's tokens."""
    credential = await auth_server.create_service("reports", "trust:read")
    token = (await auth_server.service_token(credential)).access_token
    async with open_use_cases(auth_server.settings) as use_cases:
        await use_cases.operators.ensure_service_account(ServiceCredential.parse(credential), ["tasks:read"])
    assert (await until_refused(lambda: auth_server.trust_state(token))).reason == "TOKEN_REVOKED"
    assert list((await auth_server.service_token(credential)).scopes) == ["tasks:read"]


async def test_unknown_account_is_not_found(auth_server, admin):
    missing = str(uuid4())
    for call in (
        auth_server.service_accounts.RotateServiceAccount(pb.RotateServiceAccountRequest(id=missing), metadata=admin),
        auth_server.service_accounts.DisableServiceAccount(pb.DisableServiceAccountRequest(id=missing), metadata=admin),
        auth_server.service_accounts.EnableServiceAccount(pb.EnableServiceAccountRequest(id=missing), metadata=admin),
    ):
        status = await refused(call)
        assert (status.code, status.reason) == (grpc.StatusCode.NOT_FOUND, "SERVICE_ACCOUNT_NOT_FOUND")
