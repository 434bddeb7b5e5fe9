"""Forged and malformed tokens: always UNAUTHENTICATED, without the cause."""

import base64
import hashlib
import hmac
import json
import time
from uuid import uuid4

import grpc
import jwt
import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from taskmanager.auth.v1 import auth_service_pb2, user_service_pb2

from auth_service.crypto.cipher import KeyCipher
from chassis.testing.database import temporary_database
from tests.integration.auth_service.auth_server import ENCRYPTION_KEY, make_settings, running_auth_server
from tests.support.database import Database
from tests.support.grpc_calls import bearer, refused


class Forge:
    """Signer of arbitrary claims with the service's real key, which no attacker has."""

    def __init__(self, kid: str, private: Ed25519PrivateKey, subject: str) -> None:
        self.kid = kid
        self.private = private
        self.subject = subject

    def claims(self, **changes: object) -> dict[str, object]:
        now = int(time.time())
        valid_claims = {
            "iss": "taskmanager",
            "aud": "taskmanager",
            "sub": self.subject,
            "role": "user",
            "sid": str(uuid4()),
            "epoch": 0,
            "jti": str(uuid4()),
            "iat": now,
            "exp": now + 900,
        }
        return {name: value for name, value in {**valid_claims, **changes}.items() if value is not None}

    def sign(self, headers: dict[str, object] | None = None, **changes: object) -> str:
        merged = {"typ": "at+jwt", "kid": self.kid, **(headers or {})}
        return jwt.encode(self.claims(**changes), self.private, algorithm="EdDSA", headers=merged)


@pytest.fixture(scope="module")
def shared_database(postgres, template):
    """One database for the module: its tests change nothing."""
    with temporary_database(postgres, template=template) as url:
        yield Database(url)


@pytest.fixture(scope="module")
async def auth_server(shared_database):
    async with running_auth_server(make_settings(shared_database.auth_url)) as auth_server:
        await auth_server.register()
        yield auth_server


@pytest.fixture(scope="module")
async def forge(auth_server, shared_database):
    with psycopg.connect(shared_database.administrator_url) as connection:
        [(kid, encrypted)] = connection.execute("SELECT kid, encrypted_private_key FROM auth.signing_keys").fetchall()
    secret = KeyCipher(ENCRYPTION_KEY).decrypt(encrypted, associated_data=kid.encode())
    return Forge(kid, Ed25519PrivateKey.from_private_bytes(secret), (await auth_server.login()).user.id)


def encode(part: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


async def test_forged_token_without_changes_is_valid(auth_server, forge):
    """Control for the tests below: each of their tokens is invalid for one reason only."""
    assert (await auth_server.me(forge.sign())).id == forge.subject


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "somebody-else"},
        {"aud": ["taskmanager", "somebody-else"]},
        {"aud": None},
        {"iss": "somebody-else"},
        {"iss": None},
        {"sub": None},
        {"sub": "not an id"},
        {"sub": 7},
        {"exp": None},
        {"exp": 2**40},
        {"exp": "soon"},
        {"iat": None},
        {"iat": 4_000_000_000, "exp": 4_000_000_900},
        {"jti": None},
        {"role": "emperor"},
        {"role": ["admin"]},
        {"role": None},
        {"role": None, "scope": ["trust:read"]},
        {"role": None, "scope": 7},
        {"sid": None},
        {"sid": 7},
        {"epoch": None},
        {"epoch": "0"},
        {"epoch": True},
    ],
    ids=str,
)
async def test_missing_or_wrong_claims_are_rejected(auth_server, forge, changes):
    status = await refused(auth_server.me(forge.sign(**changes)))
    assert (status.code, status.reason) == (grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")


@pytest.mark.parametrize(
    "headers",
    [
        {"typ": "JWT"},
        {"typ": "rt+jwt"},
        {"typ": None},
        {"kid": "another"},
        {"kid": ""},
        {"jku": "https://127.0.0.1/keys"},
        {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": "AAAA"}},
        {"crit": ["exp"], "exp": 1},
        {"x5u": "https://127.0.0.1/certificate"},
    ],
    ids=str,
)
async def test_foreign_headers_are_rejected(auth_server, forge, headers):
    status = await refused(auth_server.me(forge.sign(headers)))
    assert (status.code, status.reason) == (grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")


async def test_unsigned_tokens_are_rejected(auth_server, forge):
    for algorithm in ("none", "None", "EdDSA"):
        unsigned = f"{encode({'alg': algorithm, 'typ': 'at+jwt', 'kid': forge.kid})}.{encode(forge.claims())}."
        assert (await refused(auth_server.me(unsigned))).reason == "UNAUTHENTICATED"


async def test_public_key_is_no_hmac_secret(auth_server, forge):
    """A token signed by HMAC with the public key as the secret is rejected, in every encoding of the key."""
    public = forge.private.public_key()
    raw = public.public_bytes_raw()
    for secret in (
        raw,
        base64.urlsafe_b64encode(raw),
        base64.urlsafe_b64encode(raw).rstrip(b"="),
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    ):
        signed = f"{encode({'alg': 'HS256', 'typ': 'at+jwt', 'kid': forge.kid})}.{encode(forge.claims())}"
        signature = hmac.new(secret, signed.encode(), hashlib.sha256).digest()
        token = f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"
        assert (await refused(auth_server.me(token))).reason == "UNAUTHENTICATED"


async def test_foreign_key_with_our_kid_is_rejected(auth_server, forge):
    foreign = Forge(forge.kid, Ed25519PrivateKey.generate(), forge.subject)
    assert (await refused(auth_server.me(foreign.sign()))).reason == "UNAUTHENTICATED"


@pytest.mark.parametrize(
    "token",
    ["x", "a.b.c", "..", "e30.e30.e30", "W10.e30.AA", base64.urlsafe_b64encode(b"[" * 3000).decode() + ".e30.AA"],
    ids=["a letter", "letters", "dots", "empty objects", "a list", "brackets deeper than a parser goes"],
)
async def test_malformed_tokens_are_rejected(auth_server, token):
    status = await refused(auth_server.me(token))
    assert (status.code, status.reason) == (grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic c29udTp0ZXN0", "eyJ"])
async def test_missing_bearer_tokens_are_rejected(auth_server, header):
    call = auth_server.users.GetCurrentUser(
        user_service_pb2.GetCurrentUserRequest(), metadata=(("authorization", header),) if header else ()
    )
    status = await refused(call)
    assert (status.code, status.reason) == (grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")


async def test_public_rpcs_ignore_the_token(auth_server):
    assert (await auth_server.auth.GetJwks(auth_service_pb2.GetJwksRequest(), metadata=bearer("invalid"))).keys


async def test_expired_token_has_its_own_reason(auth_server, forge):
    issued_at = int(time.time()) - 2000
    assert (await refused(auth_server.me(forge.sign(iat=issued_at, exp=issued_at + 900)))).reason == "TOKEN_EXPIRED"


async def test_user_token_is_rejected_for_a_service_rpc(auth_server):
    token = (await auth_server.login()).access_token
    assert (await refused(auth_server.trust_state(token))).code == grpc.StatusCode.PERMISSION_DENIED


async def test_token_of_another_installation_is_rejected(database):
    async with running_auth_server(make_settings(database.auth_url, token_audience="elsewhere")) as elsewhere:
        await elsewhere.register()
        token = (await elsewhere.login()).access_token
        assert (await elsewhere.me(token)).username == "sonu"
    async with running_auth_server(make_settings(database.auth_url)) as here:
        assert (await refused(here.me(token))).reason == "UNAUTHENTICATED"
