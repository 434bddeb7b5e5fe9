"""The rpcs of the contract as the gateway sees them."""

from collections.abc import Iterable
from dataclasses import dataclass

from google.protobuf.descriptor import Descriptor, MethodDescriptor, ServiceDescriptor
from taskmanager.options.v1 import options_pb2

from chassis.rpc.access import Access, access_of
from gateway.transcoding.http_rules import Binding, UnsupportedContract, read_bindings


@dataclass(frozen=True, slots=True)
class Rpc:
    """One rpc that has an http rule."""

    service: str
    name: str
    request: Descriptor
    response: Descriptor
    client_streaming: bool
    server_streaming: bool
    access: Access
    success_status: int
    bindings: tuple[Binding, ...]
    file_name: str
    """What a browser calls the file that the rpc answers; empty where it answers none."""

    @property
    def full_name(self) -> str:
        """Such as taskmanager.tasks.v1.TaskService.GetTask."""
        return f"{self.service}.{self.name}"

    @property
    def grpc_path(self) -> str:
        """What gRPC calls the method: /package.Service/Method."""
        return f"/{self.service}/{self.name}"

    @property
    def is_download(self) -> bool:
        """Whether the answer is a file, in pieces of google.api.HttpBody, and no message of ours."""
        return self.server_streaming and self.response.full_name == "google.api.HttpBody"

    @property
    def is_idempotent(self) -> bool:
        """Whether the call may be repeated unseen: what HTTP reads by GET changes nothing."""
        return all(binding.http_method == "GET" for binding in self.bindings)


def read_rpcs(services: Iterable[ServiceDescriptor]) -> tuple[Rpc, ...]:
    """Every rpc of the services that has an http rule.

    Raises:
        UnsupportedContract: a rule is outside the grammar, an rpc does not say who may call it, or not what the file
            that it answers is called.

    """
    methods = (method for service in services for method in service.methods)
    return tuple(_read(method, bindings) for method in methods if (bindings := read_bindings(method)))


def _read(method: MethodDescriptor, bindings: tuple[Binding, ...]) -> Rpc:
    access = access_of(method)
    if access is None:
        raise UnsupportedContract(f"{method.full_name}: an http rule but no access option")
    options = method.GetOptions()
    rpc = Rpc(
        service=method.containing_service.full_name,
        name=method.name,
        request=method.input_type,
        response=method.output_type,
        client_streaming=method.client_streaming,
        server_streaming=method.server_streaming,
        access=access,
        success_status=options.Extensions[options_pb2.success_status] or 200,
        bindings=bindings,
        file_name=options.Extensions[options_pb2.file_name],
    )
    if rpc.is_download != bool(rpc.file_name):
        raise UnsupportedContract(f"{method.full_name}: a file and its name come together")
    return rpc


def location_of(rpc: Rpc, rpcs: Iterable[Rpc]) -> str | None:
    """Where what the rpc makes can be read: the canonical path of the call that answers the same type by its id.

    The answer ends in a slash: the new resource's id follows. None where the contract offers no such call.
    """
    if rpc.success_status == 200:  # noqa: PLR2004 - nothing is made
        return None
    collection = rpc.bindings[0].template.source
    for other in rpcs:
        source = other.bindings[0].template.source
        if other.is_idempotent and other.response == rpc.response and source == f"{collection}/{{id}}":
            return f"{collection}/"
    return None
