"""Methods by their gRPC path: /package.Service/Method."""

from collections.abc import Iterable, Iterator

from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor


def methods_of(services: Iterable[ServiceDescriptor]) -> Iterator[tuple[str, MethodDescriptor]]:
    """Yield every method of the services with its gRPC path."""
    for service in services:
        for method in service.methods:
            yield f"/{service.full_name}/{method.name}", method


def split_path(path: str) -> tuple[str, str]:
    """Return the full name of the service and the name of the method."""
    service, _, method = path.removeprefix("/").partition("/")
    return service, method
