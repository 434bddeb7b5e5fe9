"""Who may call what, read from the contract itself: taskmanager.options.v1.access on each method."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from taskmanager.options.v1 import options_pb2

from chassis.kernel.identity import Caller
from task_service.access import Role


@dataclass(frozen=True, slots=True)
class Access:
    """Everyone who may call one method."""

    public: bool = False
    roles: frozenset[Role] = frozenset()
    scopes: frozenset[str] = frozenset()

    def admits(self, caller: Caller) -> bool:
        """Whether the caller matches an entry: a person by role, a service by scope."""
        return caller.role in self.roles if caller.role else bool(self.scopes & caller.scopes)


class ContradictoryAccess(ValueError):
    """A method's access option can't be meant as it stands."""


def access_of(method: MethodDescriptor) -> Access | None:
    """The method's access, or None where the contract gives none: then nobody may call it."""
    options = method.GetOptions()
    if not options.HasExtension(options_pb2.access):
        return None
    option = options.Extensions[options_pb2.access]
    try:
        access = Access(option.public, frozenset(map(Role, option.roles)), frozenset(option.scopes))
    except ValueError as error:
        message = f"{method.full_name}: {error}"
        raise ContradictoryAccess(message) from error
    if access.public == bool(access.roles or access.scopes):
        message = f"{method.full_name}: either public, or roles and scopes"
        raise ContradictoryAccess(message)
    return access


def public_methods(services: Iterable[ServiceDescriptor]) -> frozenset[str]:
    """The methods of these services that need no token, by gRPC path."""
    return frozenset(
        f"/{service.full_name}/{method.name}"
        for service in services
        for method in service.methods
        if (access := access_of(method)) is not None and access.public
    )


def read_policy(services: Iterable[ServiceDescriptor]) -> Mapping[str, Access]:
    """The access of every method of these services, by gRPC path. Health and reflection are public: not ours to say."""
    policy = {
        f"/{service.full_name}/{method.name}": access
        for service in services
        for method in service.methods
        if (access := access_of(method)) is not None
    }
    for foreign in (health_pb2.DESCRIPTOR, reflection_pb2.DESCRIPTOR):
        for service in foreign.services_by_name.values():
            policy |= {f"/{service.full_name}/{method.name}": Access(public=True) for method in service.methods}
    return policy
