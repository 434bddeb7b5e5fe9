"""Verification of access tokens with a clock, keys and revocations of the test."""

import time
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from taskmanager.trust.v1 import trust_service_pb2

from chassis.rpc.trust import TrustState
from chassis.tokens import (
    LEEWAY_SECONDS,
    MAX_LIFETIME_SECONDS,
    TokenExpired,
    TokenRevoked,
    TokenVerifier,
    Unauthenticated,
)
from task_service.access import Role

SUBJECT, SESSION = uuid4(), uuid4()


class TokenIssuer:
    """Signing key, clock, and a verifier that uses both."""

    def __init__(self) -> None:
        self.time = time.time()
        self.private = Ed25519PrivateKey.generate()
        self.state = TrustState(now=lambda: self.time)
        self.verifier = TokenVerifier(trust=self.state, issuer="us", audience="them", now=lambda: self.time)
        self.apply_state()

    def apply_state(self, *revocations: trust_service_pb2.Revocation, keys: bool = True) -> None:
        known = [trust_service_pb2.VerificationKey(kid="k", public_key=self.private.public_key().public_bytes_raw())]
        self.state.apply(
            trust_service_pb2.TrustState(keys=known if keys else [], revocations=revocations, next_cursor="1")
        )

    def token(self, typ: str = "at+jwt", **changes: object) -> str:
        now = int(self.time)
        claims = {
            "iss": "us",
            "aud": "them",
            "sub": str(SUBJECT),
            "role": "manager",
            "sid": str(SESSION),
            "epoch": 3,
            "jti": "1",
            "iat": now,
            "exp": now + 900,
        } | changes
        return jwt.encode(claims, self.private, algorithm="EdDSA", headers={"typ": typ, "kid": "k"})


@pytest.fixture
def issuer():
    return TokenIssuer()


def revocation(issuer: TokenIssuer, *, seconds: float = 900, **subject: object) -> trust_service_pb2.Revocation:
    message = trust_service_pb2.Revocation(**subject)  # type: ignore[arg-type]
    message.expire_time.FromSeconds(int(issuer.time + seconds))
    return message


def test_user_token_carries_role_session_and_epoch(issuer):
    claims = issuer.verifier.verify(issuer.token())
    assert (claims.subject, claims.role, claims.session_id, claims.epoch) == (SUBJECT, Role.MANAGER, SESSION, 3)
    assert claims.scopes == frozenset()


def test_service_token_carries_scopes_only(issuer):
    payload = {"scope": "a:b c:d"}
    token = jwt.encode(
        {
            "iss": "us",
            "aud": "them",
            "sub": str(SUBJECT),
            "jti": "1",
            "iat": int(issuer.time),
            "exp": int(issuer.time) + 9,
        }
        | payload,
        issuer.private,
        algorithm="EdDSA",
        headers={"typ": "at+jwt", "kid": "k"},
    )
    claims = issuer.verifier.verify(token)
    assert (claims.role, claims.session_id, claims.scopes) == (None, None, frozenset({"a:b", "c:d"}))


def test_personal_token_carries_role_and_scopes(issuer):
    claims = issuer.verifier.verify(issuer.token("pat+jwt", token_scope="a:b c:d"))
    assert (claims.role, claims.session_id, claims.epoch) == (Role.MANAGER, SESSION, 3)
    assert (claims.token_scopes, claims.scopes) == (frozenset({"a:b", "c:d"}), frozenset())
    assert issuer.verifier.verify(issuer.token()).token_scopes is None


def test_personal_token_without_scopes_has_none_of_them(issuer):
    """No scope is not the same as no limit."""
    assert issuer.verifier.verify(issuer.token("pat+jwt", token_scope="")).token_scopes == frozenset()


@pytest.mark.parametrize(
    ("typ", "changes"),
    [
        ("pat+jwt", {}),
        ("at+jwt", {"token_scope": "a:b"}),
        ("at+jwt", {"token_scope": None}),
        ("pat+jwt", {"token_scope": None}),
        ("pat+jwt", {"token_scope": ["a:b"]}),
        ("pat+jwt", {"token_scope": "a:b", "role": None}),
        ("pat+jwt", {"token_scope": "a:b", "sid": None}),
        ("PAT+JWT", {"token_scope": "a:b"}),
        ("jwt", {"token_scope": "a:b"}),
    ],
)
def test_type_and_scopes_of_a_token_must_agree(issuer, typ, changes):
    """A personal access token without its scopes never counts as a session, nor a session with scopes as a token."""
    with pytest.raises(Unauthenticated):
        issuer.verifier.verify(issuer.token(typ, **changes))


def test_token_expires_after_its_leeway_cached_or_not(issuer):
    """A token is valid to its last second plus the leeway and no longer, whether it is cached or not."""
    token = issuer.token()
    issuer.verifier.verify(token)
    issuer.time = int(issuer.time) + 900 + LEEWAY_SECONDS - 0.5
    issuer.verifier.verify(token)
    issuer.time += 0.5
    with pytest.raises(TokenExpired):
        issuer.verifier.verify(token)
    with pytest.raises(TokenExpired):
        issuer.verifier.verify(token)


@pytest.mark.parametrize("lifetime", [0, -1, MAX_LIFETIME_SECONDS + 1, 2**50])
def test_token_lifetime_must_be_within_the_maximum(issuer, lifetime):
    with pytest.raises(Unauthenticated):
        issuer.verifier.verify(issuer.token(exp=int(issuer.time) + lifetime))


def test_withdrawn_key_invalidates_cached_tokens(issuer):
    token = issuer.token()
    issuer.verifier.verify(token)
    issuer.apply_state(keys=False)
    with pytest.raises(Unauthenticated):
        issuer.verifier.verify(token)
    issuer.apply_state()
    issuer.verifier.verify(token)


def test_unknown_key_wakes_the_poller(issuer):
    issuer.apply_state(keys=False)
    assert not issuer.state.unknown_key_seen.is_set()
    with pytest.raises(Unauthenticated):
        issuer.verifier.verify(issuer.token())
    assert issuer.state.unknown_key_seen.is_set()


def test_revoked_session_ends_only_its_tokens(issuer):
    token, other = issuer.token(), issuer.token(sid=str(uuid4()))
    issuer.verifier.verify(token)
    issuer.apply_state(revocation(issuer, session_id=str(SESSION)))
    with pytest.raises(TokenRevoked):
        issuer.verifier.verify(token)
    issuer.verifier.verify(other)


def test_raised_epoch_ends_older_tokens_and_never_falls(issuer):
    old, new = issuer.token(epoch=3), issuer.token(epoch=4)
    issuer.apply_state(revocation(issuer, user_epoch=trust_service_pb2.UserEpoch(user_id=str(SUBJECT), min_epoch=4)))
    issuer.apply_state(revocation(issuer, user_epoch=trust_service_pb2.UserEpoch(user_id=str(SUBJECT), min_epoch=2)))
    with pytest.raises(TokenRevoked):
        issuer.verifier.verify(old)
    issuer.verifier.verify(new)


def test_revocation_is_idempotent_and_expires(issuer):
    """A revocation received twice is harmless, and is dropped when no token can match it any more."""
    ended = revocation(issuer, seconds=10, session_id=str(SESSION))
    issuer.apply_state(ended)
    issuer.apply_state(ended)
    token = issuer.token()
    with pytest.raises(TokenRevoked):
        issuer.verifier.verify(token)
    issuer.time += 10 + LEEWAY_SECONDS + 1
    issuer.apply_state()
    issuer.verifier.verify(token)


@pytest.mark.parametrize("token", ["", ".", "..", "a.b.c", "W" * 8000, "WzEsMl0.e30.AA", "bnVsbA.e30.AA", "IiI.e30.AA"])
def test_malformed_token_is_refused(issuer, token):
    with pytest.raises(Unauthenticated):
        issuer.verifier.verify(token)
