"""The rpcs of the contract that have an http rule."""

from collections.abc import Iterable
from dataclasses import dataclass

from google.protobuf.descriptor import Descriptor, MethodDescriptor, ServiceDescriptor
from google.rpc import code_pb2
from taskmanager.options.v1 import options_pb2

from chassis.rpc.access import Access, access_of
from gateway.transcoding.errors import UnsupportedContract
from gateway.transcoding.http.http_rules import Binding, read_bindings


@dataclass(frozen=True, slots=True)
class Rpc:
    """An rpc that has an http rule."""

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
    """Name under which a browser saves the response; empty unless the rpc is a download."""
    errors: frozenset[str]
    """Names of the gRPC codes that the comment of the rpc names."""

    @property
    def full_name(self) -> str:
        """The full name, such as taskmanager.tasks.v1.TaskService.GetTask."""
        return f"{self.service}.{self.name}"

    @property
    def grpc_path(self) -> str:
        """The path of the method in gRPC: /package.Service/Method."""
        return f"/{self.service}/{self.name}"

    @property
    def is_download(self) -> bool:
        """True if the response is a file, sent as a stream of google.api.HttpBody."""
        return self.server_streaming and self.response.full_name == "google.api.HttpBody"

    @property
    def is_unary(self) -> bool:
        """True if the rpc has one request message and one response message."""
        return not (self.client_streaming or self.server_streaming)

    @property
    def is_safe(self) -> bool:
        """True if every binding is a GET, which changes nothing: the gateway may retry the call, and cancel it."""
        return all(binding.http_method == "GET" for binding in self.bindings)


def read_rpcs(services: Iterable[ServiceDescriptor]) -> tuple[Rpc, ...]:
    """Return every rpc of the services that has an http rule.

    Raises:
        UnsupportedContract: a rule is outside the grammar, an rpc has no access option, or a download has no file name.

    """
    methods = (method for service in services for method in service.methods)
    return tuple(_read_rpc(method, bindings) for method in methods if (bindings := read_bindings(method)))


def _read_rpc(method: MethodDescriptor, bindings: tuple[Binding, ...]) -> Rpc:
    access = access_of(method)
    if access is None:
        raise UnsupportedContract(f"{method.full_name}: it has an http rule but no access option")
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
        errors=frozenset(map(code_pb2.Code.Name, options.Extensions[options_pb2.errors].codes)),
    )
    if rpc.is_download != bool(rpc.file_name):
        raise UnsupportedContract(
            f"{method.full_name}: a download needs a file_name option, and only a download has one"
        )
    return rpc


def location_prefix_of(rpc: Rpc, rpcs: Iterable[Rpc]) -> str | None:
    """Return the path prefix of the resource that the rpc creates, to which its id is appended; None if there is none.

    The prefix comes from the canonical path of the rpc that returns the same type by id.
    """
    if rpc.success_status == 200:  # noqa: PLR2004 - the rpc creates nothing
        return None
    collection = rpc.bindings[0].template.source
    for other in rpcs:
        source = other.bindings[0].template.source
        if other.is_safe and other.response == rpc.response and source == f"{collection}/{{id}}":
            return f"{collection}/"
    return None
