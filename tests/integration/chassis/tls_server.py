"""A server of ours under mutual TLS, that tells whose certificate a call came with."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from taskmanager.imports.v1 import import_pb2, import_service_pb2, import_service_pb2_grpc
from taskmanager.trust.v1 import trust_service_pb2

from chassis.config import Listen
from chassis.rpc.server import GrpcServer, Registration
from chassis.rpc.trust import TrustState
from chassis.tls import Certificates, TlsFiles
from chassis.tokens import TokenVerifier

KEY = Ed25519PrivateKey.generate()
GET, WATCH = import_service_pb2.GetImportRequest(), import_service_pb2.WatchImportRequest()


def always_new(files: TlsFiles) -> Certificates:
    """Certificates that are looked at whenever they are asked for."""
    return Certificates(files, look_every=0)


def serial_of(pem: bytes) -> str:
    return str(x509.load_pem_x509_certificate(pem).serial_number)


def token() -> tuple[tuple[str, str], ...]:
    """The metadata of a person who may call."""
    now = int(time.time())
    claims = {"iss": "us", "aud": "us", "sub": str(uuid4()), "jti": "1", "iat": now, "exp": now + 900}
    person = {"role": "user", "sid": str(uuid4()), "epoch": 0}
    signed = jwt.encode(claims | person, KEY, algorithm="EdDSA", headers={"typ": "at+jwt", "kid": "k"})
    return (("authorization", f"Bearer {signed}"),)


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
    state = TrustState()
    key = trust_service_pb2.VerificationKey(kid="k", public_key=KEY.public_key().public_bytes_raw())
    state.apply(trust_service_pb2.TrustState(keys=[key]))
    servicer = TellsTheCertificate()  # type: ignore[abstract]  # the others are not called
    server = GrpcServer(
        listen=Listen("127.0.0.1", 0),
        registrations=[
            Registration(
                import_service_pb2.DESCRIPTOR.services_by_name["ImportService"],
                import_service_pb2_grpc.add_ImportServiceServicer_to_server,
                servicer,
            )
        ],
        verifier=TokenVerifier(trust=state, issuer="us", audience="us"),
        status={},
        with_reflection=False,
        drain_seconds=0.1,
        certificates=always_new(files),
    )
    await server.start()
    await server.ready()
    yield TlsServer(server.port, servicer)
    await server.stop()
