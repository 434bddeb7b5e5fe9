"""A gRPC server of the chassis with the services that a test registers, and tokens that it accepts."""

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

from chassis.rpc.server import GrpcServer, Registration
from chassis.rpc.trust import TrustState
from chassis.settings import Listen
from chassis.tokens import TokenVerifier
from tests.support.grpc_calls import Metadata, bearer

IMPORT_SERVICE = import_service_pb2.DESCRIPTOR.services_by_name["ImportService"]
TRUST_SERVICE = trust_service_pb2.DESCRIPTOR.services_by_name["TrustService"]
GET_IMPORT, WATCH_IMPORT = import_service_pb2.GetImportRequest(), import_service_pb2.WatchImportRequest()

_KEY = Ed25519PrivateKey.generate()
_ISSUER = "tests"
ANY_PORT = Listen("127.0.0.1", 0)


def import_service(
    servicer: import_service_pb2_grpc.ImportServiceServicer, descriptor: ServiceDescriptor = IMPORT_SERVICE
) -> Registration:
    return Registration(descriptor, import_service_pb2_grpc.add_ImportServiceServicer_to_server, servicer)


def trust_service(servicer: trust_service_pb2_grpc.TrustServiceServicer) -> Registration:
    return Registration(TRUST_SERVICE, trust_service_pb2_grpc.add_TrustServiceServicer_to_server, servicer)


def sign_token(typ: str = "at+jwt", /, **claims: object) -> str:
    """Sign a token with these claims and the required ones."""
    now = int(time.time())
    required = {"iss": _ISSUER, "aud": _ISSUER, "sub": str(uuid4()), "jti": "1", "iat": now, "exp": now + 900}
    return jwt.encode(required | claims, _KEY, algorithm="EdDSA", headers={"typ": typ, "kid": "k"})


def user_metadata(**claims: object) -> Metadata:
    """Return metadata with the token of a user; without claims of a new one each time."""
    session: dict[str, object] = {"role": "user", "sid": str(uuid4()), "epoch": 0}
    return bearer(sign_token(**session | claims))


def personal_token_metadata(*token_scopes: str, **claims: object) -> Metadata:
    """Return metadata with the JWT of a personal access token."""
    session: dict[str, object] = {"role": "user", "sid": str(uuid4()), "epoch": 0}
    return bearer(sign_token("pat+jwt", token_scope=" ".join(token_scopes), **session | claims))


def service_metadata(scope: str) -> Metadata:
    """Return metadata with the token of a service that has the scope."""
    return bearer(sign_token(scope=scope))


def trust_state_message(*revocations: trust_service_pb2.Revocation) -> trust_service_pb2.TrustState:
    """Return the trust state as auth_service sends it."""
    key = trust_service_pb2.VerificationKey(kid="k", public_key=_KEY.public_key().public_bytes_raw())
    return trust_service_pb2.TrustState(keys=[key], revocations=revocations)


def loaded_trust_state() -> TrustState:
    """Return the state of a verifier after its first poll."""
    state = TrustState()
    state.apply(trust_state_message())
    return state


def build_server(*registrations: Registration, state: TrustState | None = None, **options: Any) -> GrpcServer:
    """Build a server on a free port, not yet started; `options` are further arguments of GrpcServer."""
    defaults: dict[str, Any] = {"listen": ANY_PORT, "status": {}, "with_reflection": False, "drain_seconds": 0.1}
    verifier = TokenVerifier(trust=state or loaded_trust_state(), issuer=_ISSUER, audience=_ISSUER)
    return GrpcServer(registrations=registrations, verifier=verifier, **defaults | options)


@asynccontextmanager
async def running_server(server: GrpcServer) -> AsyncIterator[str]:
    """Run the server from ready to stopped; yield its target."""
    await server.start()
    await server.set_ready()
    try:
        yield f"127.0.0.1:{server.port}"
    finally:
        await server.stop()
