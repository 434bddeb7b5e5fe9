"""Access policies, read from the contract."""

from uuid import uuid4

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool
from taskmanager.auth.v1 import auth_service_pb2, user_service_pb2
from taskmanager.options.v1 import options_pb2
from taskmanager.trust.v1 import trust_service_pb2

from chassis.kernel.identity import Caller
from chassis.rpc.access import Access, ContradictoryAccess, access_of, read_policy
from task_service.access import Role

SERVICES = [
    auth_service_pb2.DESCRIPTOR.services_by_name["AuthService"],
    user_service_pb2.DESCRIPTOR.services_by_name["UserService"],
    trust_service_pb2.DESCRIPTOR.services_by_name["TrustService"],
]


def method_with(option: options_pb2.Access | None):
    """Build the descriptor of a method with this access option."""
    file = descriptor_pb2.FileDescriptorProto(name=f"test/{uuid4().hex}.proto", package=f"p{uuid4().hex}")
    file.message_type.add(name="Empty")
    method = file.service.add(name="S").method.add(
        name="M", input_type=f".{file.package}.Empty", output_type=f".{file.package}.Empty"
    )
    if option is not None:
        method.options.Extensions[options_pb2.access].CopyFrom(option)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return pool.FindFileByName(file.name).services_by_name["S"].methods[0]


def test_policy_is_read_from_the_contract():
    policy = read_policy(SERVICES)
    assert policy["/taskmanager.auth.v1.AuthService/Login"] == Access(public=True)
    assert policy["/taskmanager.auth.v1.UserService/GetCurrentUser"] == Access(
        roles=frozenset(Role), token_scopes=frozenset({"account:read"})
    )
    assert policy["/taskmanager.trust.v1.TrustService/GetTrustState"] == Access(scopes=frozenset({"trust:read"}))
    assert policy["/grpc.health.v1.Health/Check"].public


def test_method_without_access_option_has_no_policy():
    assert access_of(method_with(None)) is None


@pytest.mark.parametrize(
    "option",
    [
        options_pb2.Access(),
        options_pb2.Access(public=True, roles=["user"]),
        options_pb2.Access(public=True, token_scopes=["a:b"]),
        options_pb2.Access(scopes=["a:b"], token_scopes=["a:b"]),
    ],
)
def test_contradictory_access_option_is_refused_at_start(option):
    """A contradictory access option stops the start and names the method."""
    method = method_with(option)
    with pytest.raises(ContradictoryAccess, match=method.full_name):
        access_of(method)


def test_users_are_admitted_by_role_services_by_scope():
    access = Access(roles=frozenset({Role.ADMIN}), scopes=frozenset({"a:b"}))
    assert access.admits(Caller(uuid4(), Role.ADMIN))
    assert not access.admits(Caller(uuid4(), Role.USER))
    assert access.admits(Caller(uuid4(), None, frozenset({"a:b", "c:d"})))
    assert not access.admits(Caller(uuid4(), None, frozenset({"c:d"})))
    assert not access.admits(Caller(uuid4(), None))
    # A user's token carries no scopes; scopes in one admit nothing.
    assert not access.admits(Caller(uuid4(), Role.USER, frozenset({"a:b"})))


def test_personal_token_needs_role_and_scope():
    access = Access(roles=frozenset({Role.ADMIN}), scopes=frozenset({"a:b"}), token_scopes=frozenset({"c:d", "e:f"}))
    one, other = frozenset({"c:d"}), frozenset({"a:b"})
    assert access.admits(Caller(uuid4(), Role.ADMIN, token_scopes=one))
    assert not access.admits(Caller(uuid4(), Role.ADMIN, token_scopes=other))
    assert not access.admits(Caller(uuid4(), Role.ADMIN, token_scopes=frozenset()))
    assert not access.admits(Caller(uuid4(), Role.USER, token_scopes=one))
    assert not Access(roles=frozenset({Role.ADMIN})).admits(Caller(uuid4(), Role.ADMIN, token_scopes=one))
