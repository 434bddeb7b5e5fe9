"""The contract and the domain agree on errors, roles and scopes."""

import grpc
import pytest
from taskmanager.auth.v1 import (
    auth_service_pb2,
    security_event_service_pb2,
    service_account_service_pb2,
    token_service_pb2,
    user_pb2,
    user_service_pb2,
)
from taskmanager.imports.v1 import import_ingest_service_pb2, import_service_pb2
from taskmanager.tasks.v1 import history_service_pb2, task_service_pb2
from taskmanager.trust.v1 import trust_service_pb2

from auth_service.domain import errors, personal_token_errors
from auth_service.domain.errors import UnknownRole
from auth_service.domain.personal_tokens import TokenScope
from auth_service.domain.roles import Role, parse_requested_role
from auth_service.domain.service_accounts import Scope
from auth_service.transport.status import STATUS
from auth_service.transport.translate import registration_from_proto
from chassis.kernel.errors import DomainError
from chassis.rpc.access import access_of
from chassis.rpc.errors import KERNEL_STATUS, ErrorInterceptor

CONTRACT = (
    auth_service_pb2,
    user_service_pb2,
    service_account_service_pb2,
    security_event_service_pb2,
    token_service_pb2,
    trust_service_pb2,
    task_service_pb2,
    history_service_pb2,
    import_service_pb2,
    import_ingest_service_pb2,
)
ERRORS = [
    cls
    for module in (errors, personal_token_errors)
    for cls in vars(module).values()
    if isinstance(cls, type) and issubclass(cls, DomainError) and cls.__module__ == module.__name__
]
METHODS = [
    method for file in CONTRACT for service in file.DESCRIPTOR.services_by_name.values() for method in service.methods
]


@pytest.mark.parametrize("error", ERRORS)
def test_every_domain_error_has_a_status(error):
    assert any(cls in {**KERNEL_STATUS, **STATUS} for cls in error.__mro__), f"{error.__name__} has no row"


def test_nearest_base_class_decides_the_status():
    table = ErrorInterceptor(STATUS)
    assert table.status_code(errors.PasswordTooCommon()) == grpc.StatusCode.INVALID_ARGUMENT
    assert table.status_code(errors.AccountGone()) == grpc.StatusCode.UNAUTHENTICATED


def test_every_row_of_the_status_table_is_an_error():
    assert set(STATUS) <= set(ERRORS)


def test_contract_and_domain_have_the_same_roles():
    contract_roles = {name.removeprefix("ROLE_").lower() for name in user_pb2.Role.keys()} - {"unspecified"}  # noqa: SIM118
    assert contract_roles == {role.value for role in Role}
    for name, number in user_pb2.Role.items():
        role_text = registration_from_proto(auth_service_pb2.RegisterRequest(role=number)).role
        assert parse_requested_role(role_text) == (
            Role.USER if number == 0 else Role(name.removeprefix("ROLE_").lower())
        )


def test_unknown_role_number_is_rejected():
    """A role number of a later contract is rejected, and is not mistaken for a known role."""
    request = auth_service_pb2.RegisterRequest(role=7)  # type: ignore[arg-type]
    with pytest.raises(UnknownRole):
        parse_requested_role(registration_from_proto(request).role)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.full_name)
def test_every_scope_in_the_contract_can_be_granted(method):
    access = access_of(method)
    assert access is not None
    assert access.scopes <= {scope.value for scope in Scope}
    assert access.token_scopes <= {scope.value for scope in TokenScope}


def test_every_token_scope_allows_a_call():
    """No scope can be granted that no rpc accepts."""
    used = {scope for method in METHODS if (access := access_of(method)) for scope in access.token_scopes}
    assert used == {scope.value for scope in TokenScope}
