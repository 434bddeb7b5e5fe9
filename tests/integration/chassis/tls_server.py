"""A server with mutual TLS whose responses name the caller's certificate."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from cryptography import x509
from taskmanager.imports.v1 import import_pb2, import_service_pb2_grpc

from chassis.tls.files import TlsFiles
from chassis.tls.reloader import CertificateReloader
from tests.support.grpc_server import build_server, import_service, running_server


def always_reloading(files: TlsFiles) -> CertificateReloader:
    """Return certificates that are read again at every use."""
    return CertificateReloader(files, check_interval_seconds=0)


def serial_of(pem: bytes) -> str:
    return str(x509.load_pem_x509_certificate(pem).serial_number)


class CertificateServicer(import_service_pb2_grpc.ImportServiceServicer):
    """Servicer that responds with the serial number of the caller's certificate; a watch waits before each response."""

    def __init__(self) -> None:
        self.release_watch = asyncio.Semaphore(1)

    async def GetImport(self, request, context):  # noqa: ARG002, N802 - the signature of gRPC
        return import_pb2.Import(id=serial_of(context.auth_context()["x509_pem_cert"][0]))

    async def WatchImport(self, request, context):  # noqa: ARG002, N802
        while True:
            await self.release_watch.acquire()
            yield import_pb2.Import(id=serial_of(context.auth_context()["x509_pem_cert"][0]))


class TlsServer:
    """Running server."""

    def __init__(self, port: int, servicer: CertificateServicer) -> None:
        self.port = port
        self.target = f"localhost:{port}"
        self.servicer = servicer

    async def presented_serial(self) -> str:
        """Return the serial number of the certificate that the server presents to a new connection."""
        return await asyncio.to_thread(self._presented_serial)

    def _presented_serial(self) -> str:
        return serial_of(ssl.get_server_certificate(("127.0.0.1", self.port), timeout=10).encode())


@asynccontextmanager
async def running_tls_server(files: TlsFiles) -> AsyncIterator[TlsServer]:
    servicer = CertificateServicer()  # type: ignore[abstract]  # the others are not called
    server = build_server(import_service(servicer), certificates=always_reloading(files))
    async with running_server(server):
        yield TlsServer(server.port, servicer)
