"""A server of the chassis with what a test registers and no more, and tokens that it takes without any auth_service."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from google.protobuf.descriptor import ServiceDescriptor
from taskmanager.imports.v1 import import_service_pb2, import_service_pb2_grpc
from taskmanager.trust.v1 import trust_service_pb2, trust_service_pb2_grpc

from chassis.settings import Listen
from chassis.rpc.server import GrpcServer, Registration
from chassis.rpc.trust import TrustState
from chassis.tokens import TokenVerifier

IMPORTS = import_service_pb2.DESCRIPTOR.services_by_name["ImportService"]
TRUST = trust_service_pb2.DESCRIPTOR.services_by_name["TrustService"]
GET, WATCH = import_service_pb2.GetImportRequest(), import_service_pb2.WatchImportRequest()

Metadata = tuple[tuple[str, str], ...]

_KEY = Ed25519PrivateKey.generate()
_US = "us"


def imports(
    servicer: import_service_pb2_grpc.ImportServiceServicer, descriptor: ServiceDescriptor = IMPORTS
) -> Registration:
    return Registration(descriptor, import_service_pb2_grpc.add_ImportServiceServicer_to_server, servicer)


def trust(servicer: trust_service_pb2_grpc.TrustServiceServicer) -> Registration:
    return Registration(TRUST, trust_service_pb2_grpc.add_TrustServiceServicer_to_server, servicer)


def token(**claims: object) -> str:
    """A token with these claims, beside those that everybody's has."""
    now = int(time.time())
    everybodys = {"iss": _US, "aud": _US, "sub": str(uuid4()), "jti": "1", "iat": now, "exp": now + 900}
    return jwt.encode(everybodys | claims, _KEY, algorithm="EdDSA", headers={"typ": "at+jwt", "kid": "k"})


def person(**claims: object) -> Metadata:
    """Metadata of a user; without claims a new one each time."""
    session: dict[str, object] = {"role": "user", "sid": str(uuid4()), "epoch": 0}
    return bearer(token(**session | claims))


def service(scope: str) -> Metadata:
    """Metadata of a service that has the scope."""
    return bearer(token(scope=scope))


def bearer(text: str) -> Metadata:
    return (("authorization", f"Bearer {text}"),)


def told(*revocations: trust_service_pb2.Revocation) -> trust_service_pb2.TrustState:
    """What auth_service would tell a verifier."""
    key = trust_service_pb2.VerificationKey(kid="k", public_key=_KEY.public_key().public_bytes_raw())
    return trust_service_pb2.TrustState(keys=[key], revocations=revocations)


def trusting() -> TrustState:
    """What a verifier knows that has been told once."""
    state = TrustState()
    state.apply(told())
    return state


def small_server(*registrations: Registration, state: TrustState | None = None, **more: Any) -> GrpcServer:
    """A server on a port of its own, to be started; what else GrpcServer takes can be given too."""
    given = {"listen": Listen("127.0.0.1", 0), "status": {}, "with_reflection": False, "drain_seconds": 0.1, **more}
    verifier = TokenVerifier(trust=state or trusting(), issuer=_US, audience=_US)
    return GrpcServer(registrations=registrations, verifier=verifier, **given)


@asynccontextmanager
async def listening(server: GrpcServer) -> AsyncIterator[str]:
    """The target of the server while it is ready."""
    await server.start()
    await server.ready()
    try:
        yield f"127.0.0.1:{server.port}"
    finally:
        await server.stop()
