"""Access policy, read from the contract: the option taskmanager.options.v1.access of each method."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from taskmanager.options.v1 import options_pb2

from chassis.kernel.identity import Caller
from chassis.rpc.methods import methods_of

HEALTH_METHODS = frozenset(path for path, _ in methods_of(health_pb2.DESCRIPTOR.services_by_name.values()))
"""gRPC paths of the health checks."""


@dataclass(frozen=True, slots=True)
class Access:
    """Callers that may call one method."""

    public: bool = False
    roles: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()
    token_scopes: frozenset[str] = frozenset()
    """Scopes of personal access tokens. A token needs one of them, and its user one of the roles."""

    def admits(self, caller: Caller) -> bool:
        """Return True if the caller matches an entry: a user by role, a service by scope."""
        if caller.role is None:
            return bool(self.scopes & caller.scopes)
        return caller.role in self.roles and (caller.token_scopes is None or self.admits_token(caller.token_scopes))

    def admits_token(self, token_scopes: frozenset[str]) -> bool:
        """Return True if a personal access token with these scopes may call, whatever the role of its user."""
        return bool(self.token_scopes & token_scopes)


class ContradictoryAccess(ValueError):
    """The access option of a method contradicts itself."""


def access_of(method: MethodDescriptor) -> Access | None:
    """Return the access of a method; None without the option: then nobody may call it."""
    options = method.GetOptions()
    if not options.HasExtension(options_pb2.access):
        return None
    option = options.Extensions[options_pb2.access]
    access = Access(option.public, frozenset(option.roles), frozenset(option.scopes), frozenset(option.token_scopes))
    if access.public == bool(access.roles or access.scopes):
        message = f"{method.full_name}: the access is either public, or lists roles and scopes"
        raise ContradictoryAccess(message)
    if access.token_scopes and not access.roles:
        message = f"{method.full_name}: a personal access token needs a role beside its scope"
        raise ContradictoryAccess(message)
    return access


def is_internal(access: Access) -> bool:
    """Return True if only our own services may call: neither everybody nor a user."""
    return not (access.public or access.roles)


def public_methods(services: Iterable[ServiceDescriptor]) -> frozenset[str]:
    """Return the gRPC paths of the methods that need no token."""
    return frozenset(
        path for path, method in methods_of(services) if (access := access_of(method)) is not None and access.public
    )


def read_policy(services: Iterable[ServiceDescriptor]) -> Mapping[str, Access]:
    """Return the access of every method by gRPC path. Health and reflection are public."""
    policy = {path: access for path, method in methods_of(services) if (access := access_of(method)) is not None}
    for foreign in (health_pb2.DESCRIPTOR, reflection_pb2.DESCRIPTOR):
        policy |= {path: Access(public=True) for path, _ in methods_of(foreign.services_by_name.values())}
    return policy
