"""Verifying access tokens without a server around it: time, keys and revocations are the test's."""

import time
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from taskmanager.trust.v1 import trust_service_pb2

from task_service.access import Role
from chassis.rpc.trust import TrustState
from chassis.tokens import LEEWAY_SECONDS
from chassis.tokens import MAX_LIFETIME_SECONDS
from chassis.tokens import TokenExpired, TokenRevoked, TokenVerifier, Unauthenticated

SUBJECT, SESSION = uuid4(), uuid4()


class World:
    """One signing key, a clock, and what a verifier knows of both."""

    def __init__(self) -> None:
        self.time = time.time()
        self.private = Ed25519PrivateKey.generate()
        self.state = TrustState(now=lambda: self.time)
        self.verifier = TokenVerifier(trust=self.state, issuer="us", audience="them", now=lambda: self.time)
        self.tell()

    def tell(self, *revocations: trust_service_pb2.Revocation, keys: bool = True) -> None:
        known = [trust_service_pb2.VerificationKey(kid="k", public_key=self.private.public_key().public_bytes_raw())]
        self.state.apply(
            trust_service_pb2.TrustState(keys=known if keys else [], revocations=revocations, next_cursor="1")
        )

    def token(self, **changes: object) -> str:
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
        return jwt.encode(claims, self.private, algorithm="EdDSA", headers={"typ": "at+jwt", "kid": "k"})


@pytest.fixture
def world():
    return World()


def revocation(world: World, *, seconds: float = 900, **subject: object) -> trust_service_pb2.Revocation:
    message = trust_service_pb2.Revocation(**subject)  # type: ignore[arg-type]
    message.expire_time.FromSeconds(int(world.time + seconds))
    return message


def test_a_persons_token_says_role_session_and_epoch(world):
    claims = world.verifier.verify(world.token())
    assert (claims.subject, claims.role, claims.session_id, claims.epoch) == (SUBJECT, Role.MANAGER, SESSION, 3)
    assert claims.scopes == frozenset()


def test_a_services_token_says_scopes_and_nothing_of_a_person(world):
    payload = {"scope": "a:b c:d"}
    token = jwt.encode(
        {
            "iss": "us",
            "aud": "them",
            "sub": str(SUBJECT),
            "jti": "1",
            "iat": int(world.time),
            "exp": int(world.time) + 9,
        }
        | payload,
        world.private,
        algorithm="EdDSA",
        headers={"typ": "at+jwt", "kid": "k"},
    )
    claims = world.verifier.verify(token)
    assert (claims.role, claims.session_id, claims.scopes) == (None, None, frozenset({"a:b", "c:d"}))


def test_a_token_lives_to_its_last_second_and_the_clocks_leeway_and_no_longer_remembered_or_not(world):
    token = world.token()
    world.verifier.verify(token)
    world.time = int(world.time) + 900 + LEEWAY_SECONDS - 0.5
    world.verifier.verify(token)
    world.time += 0.5
    with pytest.raises(TokenExpired):
        world.verifier.verify(token)
    with pytest.raises(TokenExpired):
        world.verifier.verify(token)


@pytest.mark.parametrize("lifetime", [0, -1, MAX_LIFETIME_SECONDS + 1, 2**50])
def test_no_token_of_ours_lives_longer_than_the_maximum_or_not_at_all(world, lifetime):
    with pytest.raises(Unauthenticated):
        world.verifier.verify(world.token(exp=int(world.time) + lifetime))


def test_a_key_that_is_withdrawn_takes_remembered_tokens_with_it(world):
    token = world.token()
    world.verifier.verify(token)
    world.tell(keys=False)
    with pytest.raises(Unauthenticated):
        world.verifier.verify(token)
    world.tell()
    world.verifier.verify(token)


def test_an_unknown_key_wakes_the_poller(world):
    world.tell(keys=False)
    assert not world.state.unknown_key_met.is_set()
    with pytest.raises(Unauthenticated):
        world.verifier.verify(world.token())
    assert world.state.unknown_key_met.is_set()


def test_an_ended_session_ends_its_tokens_and_no_others(world):
    token, other = world.token(), world.token(sid=str(uuid4()))
    world.verifier.verify(token)
    world.tell(revocation(world, session_id=str(SESSION)))
    with pytest.raises(TokenRevoked):
        world.verifier.verify(token)
    world.verifier.verify(other)


def test_a_raised_epoch_ends_older_tokens_and_never_sinks_again(world):
    old, new = world.token(epoch=3), world.token(epoch=4)
    world.tell(revocation(world, user_epoch=trust_service_pb2.UserEpoch(user_id=str(SUBJECT), least_epoch=4)))
    world.tell(revocation(world, user_epoch=trust_service_pb2.UserEpoch(user_id=str(SUBJECT), least_epoch=2)))
    with pytest.raises(TokenRevoked):
        world.verifier.verify(old)
    world.verifier.verify(new)


def test_a_revocation_told_twice_does_no_harm_and_is_forgotten_when_nothing_can_match_it(world):
    ended = revocation(world, seconds=10, session_id=str(SESSION))
    world.tell(ended)
    world.tell(ended)
    token = world.token()
    with pytest.raises(TokenRevoked):
        world.verifier.verify(token)
    world.time += 10 + LEEWAY_SECONDS + 1
    world.tell()
    world.verifier.verify(token)


@pytest.mark.parametrize("token", ["", ".", "..", "a.b.c", "W" * 8000, "WzEsMl0.e30.AA", "bnVsbA.e30.AA", "IiI.e30.AA"])
def test_nonsense_is_refused_and_breaks_nothing(world, token):
    with pytest.raises(Unauthenticated):
        world.verifier.verify(token)
