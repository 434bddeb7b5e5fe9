"""The tables between the domain and the contract have no holes."""

import grpc
import pytest
from taskmanager.auth.v1 import (
    auth_service_pb2,
    security_event_service_pb2,
    service_account_service_pb2,
    user_pb2,
    user_service_pb2,
)
from taskmanager.imports.v1 import import_ingest_service_pb2, import_service_pb2
from taskmanager.tasks.v1 import history_service_pb2, task_service_pb2
from taskmanager.trust.v1 import trust_service_pb2

from auth_service.domain import errors
from auth_service.domain.accounts import accept_role
from auth_service.domain.errors import UnknownRole
from auth_service.domain.service_accounts import Scope
from auth_service.transport.status import STATUS
from auth_service.transport.translate import registration_from_proto
from chassis.kernel.errors import DomainError
from task_service.access import Role
from chassis.rpc.access import access_of
from chassis.rpc.errors import KERNEL_STATUS, ErrorInterceptor

CONTRACT = (
    auth_service_pb2,
    user_service_pb2,
    service_account_service_pb2,
    security_event_service_pb2,
    trust_service_pb2,
    task_service_pb2,
    history_service_pb2,
    import_service_pb2,
    import_ingest_service_pb2,
)
ERRORS = [
    cls
    for cls in vars(errors).values()
    if isinstance(cls, type) and issubclass(cls, DomainError) and cls.__module__ == errors.__name__
]
METHODS = [
    method for file in CONTRACT for service in file.DESCRIPTOR.services_by_name.values() for method in service.methods
]


@pytest.mark.parametrize("error", ERRORS)
def test_every_domain_error_has_a_status(error):
    assert any(cls in {**KERNEL_STATUS, **STATUS} for cls in error.__mro__), f"{error.__name__} has no row"


def test_the_nearest_class_gives_the_status():
    table = ErrorInterceptor(STATUS)
    assert table.code_of(errors.PasswordTooCommon()) == grpc.StatusCode.INVALID_ARGUMENT
    assert table.code_of(errors.AccountGone()) == grpc.StatusCode.UNAUTHENTICATED


def test_every_status_in_the_table_is_some_errors():
    assert set(STATUS) <= set(ERRORS)


def test_the_contract_and_the_domain_have_the_same_roles():
    named = {name.removeprefix("ROLE_").lower() for name in user_pb2.Role.keys()} - {"unspecified"}  # noqa: SIM118
    assert named == {role.value for role in Role}
    for name, number in user_pb2.Role.items():
        asked = registration_from_proto(auth_service_pb2.RegisterRequest(role=number)).role
        assert accept_role(asked) == (Role.USER if number == 0 else Role(name.removeprefix("ROLE_").lower()))


def test_a_role_of_a_later_contract_is_refused_and_not_taken_for_another():
    request = auth_service_pb2.RegisterRequest(role=7)  # type: ignore[arg-type]
    with pytest.raises(UnknownRole):
        accept_role(registration_from_proto(request).role)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.full_name)
def test_every_scope_that_a_method_asks_for_can_be_given(method):
    access = access_of(method)
    assert access is not None
    assert access.scopes <= {scope.value for scope in Scope}
