"""Trust state: keys, revocations, and a cursor that follows the order of commits."""

import grpc
import jwt
import psycopg
import pytest

from chassis.rpc.trust import TrustPoller, TrustState
from chassis.tokens import TokenRevoked, TokenVerifier
from tests.support.grpc_calls import refused, until_refused

REVOKE = """
    INSERT INTO auth.revocations (session_id, expires_at) VALUES (%s, now() + interval '15 minutes')
"""
RAISE_EPOCH = """
    INSERT INTO auth.revocations (user_id, least_epoch, expires_at) VALUES (%s, %s, now() + interval '15 minutes')
"""
FIRST, SECOND = "0190b5a6-7f6e-7cc0-98d6-2f8a4b3c1d01", "0190b5a6-7f6e-7cc0-98d6-2f8a4b3c1d02"


@pytest.fixture
async def token(auth_server):
    return await auth_server.verifier_token()


def sessions(state):
    return [revocation.session_id for revocation in state.revocations]


async def test_first_response_has_keys_and_a_cursor(auth_server, token):
    state = await auth_server.trust_state(token)
    [key] = state.keys
    assert len(key.public_key) == 32
    assert not state.revocations
    assert int(state.next_cursor) > 0


async def test_revocation_is_returned_after_commit_only_once(auth_server, token, database):
    before = await auth_server.trust_state(token)
    with psycopg.connect(database.auth_url) as connection:
        connection.execute(REVOKE, [FIRST])
    state = await auth_server.trust_state(token, before.next_cursor)
    assert sessions(state) == [FIRST]
    assert state.revocations[0].expire_time.ToSeconds() > 0
    assert sessions(await auth_server.trust_state(token)) == [FIRST]
    assert sessions(await auth_server.trust_state(token, state.next_cursor)) == []


async def test_late_commits_are_not_missed(auth_server, token, database):
    """A transaction that commits late is returned, although a later transaction committed before it."""
    with psycopg.connect(database.auth_url) as slow, psycopg.connect(database.auth_url) as quick:
        slow.execute(REVOKE, [FIRST])
        quick.execute(REVOKE, [SECOND])
        quick.commit()
        between = await auth_server.trust_state(token)
        # Returned at once, although an older transaction is still open.
        assert sessions(between) == [SECOND]
        slow.commit()
        after = await auth_server.trust_state(token, between.next_cursor)
        assert FIRST in sessions(after)


async def test_expired_revocations_are_not_returned(auth_server, token, database):
    with psycopg.connect(database.auth_url) as connection:
        connection.execute("INSERT INTO auth.revocations (session_id, expires_at) VALUES (%s, now())", [FIRST])
    assert sessions(await auth_server.trust_state(token)) == []


@pytest.mark.parametrize("cursor", ["x", "-1", "0", "01", "1.5", " 1", "१२", "9" * 20, "9" * 19, "9" * 400])
async def test_cursors_never_issued_are_rejected(auth_server, token, cursor):
    status = await refused(auth_server.trust_state(token, cursor))
    assert (status.code, status.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_CURSOR")


async def test_trust_state_needs_a_token(auth_server):
    assert (await refused(auth_server.trust_state(""))).code == grpc.StatusCode.UNAUTHENTICATED


async def test_revoked_session_is_rejected_within_seconds(auth_server, database):
    await auth_server.register()
    ended, other = (await auth_server.login()).access_token, (await auth_server.login()).access_token
    session = jwt.decode(ended, options={"verify_signature": False})["sid"]
    await auth_server.me(ended)
    with psycopg.connect(database.auth_url) as connection:
        connection.execute(REVOKE, [session])
    status = await until_refused(lambda: auth_server.me(ended))
    assert (status.code, status.reason) == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_REVOKED")
    assert (await auth_server.me(other)).username == "sonu"


async def test_raised_epoch_revokes_older_tokens_only(auth_server, database):
    user = await auth_server.register()
    old = (await auth_server.login()).access_token
    with psycopg.connect(database.administrator_url) as connection:
        connection.execute("UPDATE auth.users SET epoch = 1")
        connection.execute(RAISE_EPOCH, [user.id, 1])
    assert (await until_refused(lambda: auth_server.me(old))).reason == "TOKEN_REVOKED"
    assert (await auth_server.me((await auth_server.login()).access_token)).username == "sonu"


async def test_verifier_catches_up_after_an_outage(auth_server, token):
    await auth_server.register()
    login = await auth_server.login()
    is_cut_off = False

    async def fetch(cursor):
        if is_cut_off:
            raise ConnectionError
        return await auth_server.trust_state(token, cursor)

    state = TrustState()
    poller = TrustPoller(state=state, fetch=fetch)
    verifier = TokenVerifier(trust=state, issuer="taskmanager", audience="taskmanager")
    await poller.poll()
    is_cut_off = True
    await poller.poll()
    await auth_server.logout(login.access_token)
    await poller.poll()
    # An outage logs nobody out, and a logout during it is found afterwards.
    assert verifier.verify(login.access_token).session_id
    is_cut_off = False
    await poller.poll()
    with pytest.raises(TokenRevoked):
        verifier.verify(login.access_token)
