"""A server of ours under mutual TLS, that tells whose certificate a call came with."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from cryptography import x509
from taskmanager.imports.v1 import import_pb2, import_service_pb2_grpc

from chassis.tls.reloader import CertificateReloader
from chassis.tls.files import TlsFiles
from tests.small_server import imports, listening, small_server


def always_new(files: TlsFiles) -> CertificateReloader:
    """Certificates that are looked at whenever they are asked for."""
    return CertificateReloader(files, look_every=0)


def serial_of(pem: bytes) -> str:
    return str(x509.load_pem_x509_certificate(pem).serial_number)


class TellsTheCertificate(import_service_pb2_grpc.ImportServiceServicer):
    """Answers the serial number of the caller's certificate; a watch does so again whenever it is told to."""

    def __init__(self) -> None:
        self.again = asyncio.Semaphore(1)

    async def GetImport(self, request, context):  # noqa: ARG002, N802 - gRPC's names
        return import_pb2.Import(id=serial_of(context.auth_context()["x509_pem_cert"][0]))

    async def WatchImport(self, request, context):  # noqa: ARG002, N802
        while True:
            await self.again.acquire()
            yield import_pb2.Import(id=serial_of(context.auth_context()["x509_pem_cert"][0]))


class TlsServer:
    """The running server."""

    def __init__(self, port: int, servicer: TellsTheCertificate) -> None:
        self.port = port
        self.target = f"localhost:{port}"
        self.servicer = servicer

    async def shown(self) -> str:
        """The serial number of the certificate that a new connection is shown."""
        return await asyncio.to_thread(self._shown)

    def _shown(self) -> str:
        return serial_of(ssl.get_server_certificate(("127.0.0.1", self.port), timeout=10).encode())


@asynccontextmanager
async def serving(files: TlsFiles) -> AsyncIterator[TlsServer]:
    servicer = TellsTheCertificate()  # type: ignore[abstract]  # the others are not called
    server = small_server(imports(servicer), certificates=always_new(files))
    async with listening(server):
        yield TlsServer(server.port, servicer)
