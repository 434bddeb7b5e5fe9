"""Tokens that are not ours, in every disguise: always UNAUTHENTICATED, and never why."""

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
from tests.integration.auth_service.door import ENCRYPTION_KEY, opened, settings_for
from tests.support.database import Database
from tests.support.grpc_calls import bearer, refused


class Forge:
    """Signs whatever it is told to with the service's real key, got as no attacker could."""

    def __init__(self, kid: str, private: Ed25519PrivateKey, subject: str) -> None:
        self.kid = kid
        self.private = private
        self.subject = subject

    def claims(self, **changes: object) -> dict[str, object]:
        now = int(time.time())
        good = {
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
        return {name: value for name, value in {**good, **changes}.items() if value is not None}

    def sign(self, headers: dict[str, object] | None = None, **changes: object) -> str:
        merged = {"typ": "at+jwt", "kid": self.kid, **(headers or {})}
        return jwt.encode(self.claims(**changes), self.private, algorithm="EdDSA", headers=merged)


@pytest.fixture(scope="module")
def shared_database(postgres, template):
    """One for all: no test here changes anything."""
    with temporary_database(postgres, template=template) as url:
        yield Database(url)


@pytest.fixture(scope="module")
async def door(shared_database):
    async with opened(settings_for(shared_database.auth_url)) as door:
        await door.register()
        yield door


@pytest.fixture(scope="module")
async def forge(door, shared_database):
    with psycopg.connect(shared_database.administrator_url) as connection:
        [(kid, sealed)] = connection.execute("SELECT kid, sealed_private_key FROM auth.signing_keys").fetchall()
    secret = KeyCipher(ENCRYPTION_KEY).open(sealed, context=kid.encode())
    return Forge(kid, Ed25519PrivateKey.from_private_bytes(secret), (await door.login()).user.id)


def encode(part: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


async def test_the_forge_makes_good_tokens_so_that_the_bad_ones_are_bad_for_one_reason_each(door, forge):
    assert (await door.me(forge.sign())).id == forge.subject


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
async def test_a_claim_that_is_missing_or_wrong_spoils_the_token(door, forge, changes):
    status = await refused(door.me(forge.sign(**changes)))
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
async def test_a_header_that_is_not_ours_spoils_the_token(door, forge, headers):
    status = await refused(door.me(forge.sign(headers)))
    assert (status.code, status.reason) == (grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")


async def test_no_signature_is_no_token(door, forge):
    for algorithm in ("none", "None", "EdDSA"):
        unsigned = f"{encode({'alg': algorithm, 'typ': 'at+jwt', 'kid': forge.kid})}.{encode(forge.claims())}."
        assert (await refused(door.me(unsigned))).reason == "UNAUTHENTICATED"


async def test_the_public_key_is_no_hmac_secret_in_any_encoding(door, forge):
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
        assert (await refused(door.me(token))).reason == "UNAUTHENTICATED"


async def test_a_key_of_the_attackers_own_under_our_name_is_not_ours(door, forge):
    own = Forge(forge.kid, Ed25519PrivateKey.generate(), forge.subject)
    assert (await refused(door.me(own.sign()))).reason == "UNAUTHENTICATED"


@pytest.mark.parametrize(
    "token",
    ["x", "a.b.c", "..", "e30.e30.e30", "W10.e30.AA", base64.urlsafe_b64encode(b"[" * 3000).decode() + ".e30.AA"],
    ids=["a letter", "letters", "dots", "empty objects", "a list", "brackets deeper than a parser goes"],
)
async def test_what_is_no_token_at_all_is_refused_the_same_way(door, token):
    status = await refused(door.me(token))
    assert (status.code, status.reason) == (grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic c29udTp0ZXN0", "eyJ"])
async def test_an_authorization_that_bears_nothing_is_refused_the_same_way(door, header):
    call = door.users.GetCurrentUser(
        user_service_pb2.GetCurrentUserRequest(), metadata=(("authorization", header),) if header else ()
    )
    status = await refused(call)
    assert (status.code, status.reason) == (grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")


async def test_a_public_call_does_not_look_at_the_token_that_comes_with_it(door):
    assert (await door.auth.GetJwks(auth_service_pb2.GetJwksRequest(), metadata=bearer("spoilt"))).keys


async def test_a_token_that_was_good_once_says_that_it_has_expired(door, forge):
    then = int(time.time()) - 2000
    assert (await refused(door.me(forge.sign(iat=then, exp=then + 900)))).reason == "TOKEN_EXPIRED"


async def test_a_persons_token_does_not_open_what_only_services_may(door):
    token = (await door.login()).access_token
    assert (await refused(door.trust_state(token))).code == grpc.StatusCode.PERMISSION_DENIED


async def test_a_token_of_another_installation_is_not_good_here(database):
    async with opened(settings_for(database.auth_url, token_audience="elsewhere")) as elsewhere:
        await elsewhere.register()
        token = (await elsewhere.login()).access_token
        assert (await elsewhere.me(token)).username == "sonu"
    async with opened(settings_for(database.auth_url)) as here:
        assert (await refused(here.me(token))).reason == "UNAUTHENTICATED"
