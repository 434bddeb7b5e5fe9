"""Who may call what, as the contract says it."""

from uuid import uuid4

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool
from taskmanager.auth.v1 import auth_service_pb2, user_service_pb2
from taskmanager.options.v1 import options_pb2
from taskmanager.trust.v1 import trust_service_pb2

from chassis.kernel.identity import Caller
from task_service.access import Role
from chassis.rpc.access import Access, ContradictoryAccess, access_of, read_policy

SERVICES = [
    auth_service_pb2.DESCRIPTOR.services_by_name["AuthService"],
    user_service_pb2.DESCRIPTOR.services_by_name["UserService"],
    trust_service_pb2.DESCRIPTOR.services_by_name["TrustService"],
]


def method_with(option: options_pb2.Access | None):
    """A method of a service of the test's own."""
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


def test_the_policy_is_what_stands_in_the_contract():
    policy = read_policy(SERVICES)
    assert policy["/taskmanager.auth.v1.AuthService/Login"] == Access(public=True)
    assert policy["/taskmanager.auth.v1.UserService/GetCurrentUser"] == Access(roles=frozenset(Role))
    assert policy["/taskmanager.trust.v1.TrustService/GetTrustState"] == Access(scopes=frozenset({"trust:read"}))
    assert policy["/grpc.health.v1.Health/Check"].public


def test_a_method_without_a_word_on_access_has_none():
    assert access_of(method_with(None)) is None


@pytest.mark.parametrize(
    "option",
    [
        options_pb2.Access(),
        options_pb2.Access(public=True, roles=["user"]),
        options_pb2.Access(roles=["emperor"]),
    ],
)
def test_an_access_that_cannot_be_meant_stops_the_start_and_names_the_method(option):
    method = method_with(option)
    with pytest.raises(ContradictoryAccess, match=method.full_name):
        access_of(method)


def test_a_person_is_admitted_by_role_and_a_service_by_scope():
    access = Access(roles=frozenset({Role.ADMIN}), scopes=frozenset({"a:b"}))
    assert access.admits(Caller(uuid4(), Role.ADMIN))
    assert not access.admits(Caller(uuid4(), Role.USER))
    assert access.admits(Caller(uuid4(), None, frozenset({"a:b", "c:d"})))
    assert not access.admits(Caller(uuid4(), None, frozenset({"c:d"})))
    assert not access.admits(Caller(uuid4(), None))
    # A person's token carries no scopes; were one to, it would open nothing.
    assert not access.admits(Caller(uuid4(), Role.USER, frozenset({"a:b"})))
