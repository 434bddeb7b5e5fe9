"""The trust state: keys, revocations, and a cursor that no commit slips behind."""

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
async def token(door):
    return await door.verifier_token()


def sessions(state):
    return [revocation.session_id for revocation in state.revocations]


async def test_the_first_answer_has_the_keys_and_a_cursor(door, token):
    state = await door.trust_state(token)
    [key] = state.keys
    assert len(key.public_key) == 32
    assert not state.revocations
    assert int(state.next_cursor) > 0


async def test_a_revocation_is_told_once_committed_and_not_again_behind_the_cursor(door, token, database):
    before = await door.trust_state(token)
    with psycopg.connect(database.auth_url) as connection:
        connection.execute(REVOKE, [FIRST])
    state = await door.trust_state(token, before.next_cursor)
    assert sessions(state) == [FIRST]
    assert state.revocations[0].expire_time.ToSeconds() > 0
    assert sessions(await door.trust_state(token)) == [FIRST]
    assert sessions(await door.trust_state(token, state.next_cursor)) == []


async def test_a_transaction_that_commits_late_is_not_missed_behind_one_that_began_after_it(door, token, database):
    with psycopg.connect(database.auth_url) as slow, psycopg.connect(database.auth_url) as quick:
        slow.execute(REVOKE, [FIRST])
        quick.execute(REVOKE, [SECOND])
        quick.commit()
        between = await door.trust_state(token)
        # Told at once, although an older transaction is still open somewhere.
        assert sessions(between) == [SECOND]
        slow.commit()
        after = await door.trust_state(token, between.next_cursor)
        assert FIRST in sessions(after)


async def test_what_no_living_token_can_match_is_told_no_more(door, token, database):
    with psycopg.connect(database.auth_url) as connection:
        connection.execute("INSERT INTO auth.revocations (session_id, expires_at) VALUES (%s, now())", [FIRST])
    assert sessions(await door.trust_state(token)) == []


@pytest.mark.parametrize("cursor", ["x", "-1", "0", "01", "1.5", " 1", "१२", "9" * 20, "9" * 19, "9" * 400])
async def test_a_cursor_that_was_never_handed_out_is_refused(door, token, cursor):
    status = await refused(door.trust_state(token, cursor))
    assert (status.code, status.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_CURSOR")


async def test_the_trust_state_is_no_strangers_business(door):
    assert (await refused(door.trust_state(""))).code == grpc.StatusCode.UNAUTHENTICATED


async def test_a_revoked_session_is_turned_away_within_seconds_and_another_is_not(door, database):
    await door.register()
    ended, other = (await door.login()).access_token, (await door.login()).access_token
    session = jwt.decode(ended, options={"verify_signature": False})["sid"]
    await door.me(ended)
    with psycopg.connect(database.auth_url) as connection:
        connection.execute(REVOKE, [session])
    status = await until_refused(lambda: door.me(ended))
    assert (status.code, status.reason) == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_REVOKED")
    assert (await door.me(other)).username == "sonu"


async def test_a_raised_epoch_ends_every_older_token_of_the_user_and_none_of_the_new_ones(door, database):
    user = await door.register()
    old = (await door.login()).access_token
    with psycopg.connect(database.administrator_url) as connection:
        connection.execute("UPDATE auth.users SET epoch = 1")
        connection.execute(RAISE_EPOCH, [user.id, 1])
    assert (await until_refused(lambda: door.me(old))).reason == "TOKEN_REVOKED"
    assert (await door.me((await door.login()).access_token)).username == "sonu"


async def test_a_verifier_that_was_cut_off_misses_nothing_when_it_is_back(door, token):
    await door.register()
    login = await door.login()
    is_cut_off = False

    async def fetch(cursor):
        if is_cut_off:
            raise ConnectionError
        return await door.trust_state(token, cursor)

    state = TrustState()
    poller = TrustPoller(state=state, fetch=fetch)
    verifier = TokenVerifier(trust=state, issuer="taskmanager", audience="taskmanager")
    await poller.poll()
    is_cut_off = True
    await poller.poll()
    await door.logout(login.access_token)
    await poller.poll()
    # An outage logs no one out, and hides no logout for good.
    assert verifier.verify(login.access_token).session_id
    is_cut_off = False
    await poller.poll()
    with pytest.raises(TokenRevoked):
        verifier.verify(login.access_token)
