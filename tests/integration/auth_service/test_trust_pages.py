"""Pages of the trust state: a bounded response, read on until the end before a verifier counts as up to date."""

import asyncio
from functools import partial
from uuid import UUID, uuid4

import grpc
import psycopg
import pytest

from auth_service.domain.trust import EpochRaised
from auth_service.persistence.unit_of_work import SqlAuthUnitOfWork
from auth_service.usecases.trust import MAX_REVOCATIONS
from chassis.database.pool import open_pool
from chassis.kernel.clock import utc_now
from chassis.rpc.trust import TrustPoller, TrustState
from chassis.tokens import TokenRevoked, TokenVerifier
from tests.integration.auth_service.auth_server import PASSWORD, claims
from tests.support.grpc_calls import refused, until_refused

REVOKE = "INSERT INTO auth.revocations (session_id, expires_at) VALUES (%s, now() + interval '15 minutes')"
REVOKE_MANY = """
    INSERT INTO auth.revocations (session_id, expires_at)
    SELECT gen_random_uuid(), now() + interval '15 minutes' FROM generate_series(1, %s)
"""
EPOCHS = "SELECT user_id, least_epoch FROM auth.revocations WHERE user_id IS NOT NULL ORDER BY least_epoch"


@pytest.fixture
async def token(auth_server):
    return await auth_server.verifier_token()


def sessions(state):
    return [revocation.session_id for revocation in state.revocations]


def revoke(database, *session_ids):
    with psycopg.connect(database.auth_url) as connection:
        for session_id in session_ids:
            connection.execute(REVOKE, [session_id])


async def read_all(auth_server, token, cursor="", *, page_size):
    """Read pages until the end. Return the session ids and the cursor for the next read."""
    found, has_more = [], True
    while has_more:
        page = await auth_server.trust_state(token, cursor, page_size=page_size)
        found += sessions(page)
        cursor, has_more = page.next_cursor, page.has_more
    return found, cursor


async def test_verifier_reads_more_than_one_message_can_hold(auth_server, token, database):
    """A verifier starts although its revocations together exceed the message limit of gRPC, 4 MiB."""
    await auth_server.register()
    login = await auth_server.login()
    database.rows(REVOKE_MANY, 90_000)
    revoke(database, claims(login.access_token)["sid"])
    pages = []

    async def fetch(cursor):
        pages.append(await auth_server.trust_state(token, cursor))
        return pages[-1]

    state = TrustState()
    poller = TrustPoller(state=state, fetch=fetch)
    await poller.poll()
    assert poller.first_response.is_set()
    assert [len(page.revocations) for page in pages] == [MAX_REVOCATIONS] * 9 + [1]
    verifier = TokenVerifier(trust=state, issuer="taskmanager", audience="taskmanager")
    with pytest.raises(TokenRevoked):
        verifier.verify(login.access_token)


async def test_verifier_is_not_ready_before_the_last_page(auth_server, token, database):
    revoke(database, *(uuid4() for _ in range(5)))
    asked: asyncio.Queue[str] = asyncio.Queue()
    answered: asyncio.Queue[None] = asyncio.Queue()

    async def fetch(cursor):
        asked.put_nowait(cursor)
        await answered.get()
        return await auth_server.trust_state(token, cursor, page_size=2)

    state = TrustState()
    poller = TrustPoller(state=state, fetch=fetch)
    verifier = TokenVerifier(trust=state, issuer="taskmanager", audience="taskmanager")
    polling = asyncio.create_task(poller.poll())
    for _ in range(3):
        await asked.get()
        assert not poller.first_response.is_set()
        assert not verifier.is_ready
        answered.put_nowait(None)
    await polling
    assert poller.first_response.is_set()
    assert verifier.is_ready
    assert asked.empty()


async def test_poll_that_fails_between_pages_starts_again(auth_server, token, database):
    revoked = [uuid4() for _ in range(4)]
    revoke(database, *revoked)
    cursors = []

    async def fetch(cursor):
        cursors.append(cursor)
        if len(cursors) == 2:
            raise ConnectionError
        return await auth_server.trust_state(token, cursor, page_size=3)

    poller = TrustPoller(state=TrustState(), fetch=fetch)
    await poller.poll()
    assert not poller.first_response.is_set()
    await poller.poll()
    assert poller.first_response.is_set()
    assert cursors[2] == ""
    assert len(cursors) == 4


async def test_pages_miss_no_commit_between_them(auth_server, token, database):
    """A read repeats nothing. What commits between its pages is in it, or in the next read."""
    first, late, new = [str(uuid4()) for _ in range(5)], str(uuid4()), str(uuid4())
    with psycopg.connect(database.auth_url) as slow:
        slow.execute(REVOKE, [late])
        revoke(database, *first)
        page = await auth_server.trust_state(token, page_size=2)
        assert sessions(page) == first[:2]
        assert page.has_more
        slow.commit()
        revoke(database, new)
        rest, cursor = await read_all(auth_server, token, page.next_cursor, page_size=2)
    assert rest == [*first[2:], new]
    later, cursor = await read_all(auth_server, token, cursor, page_size=2)
    assert late in later
    assert sorted(later) == sorted(set(later))
    assert await read_all(auth_server, token, cursor, page_size=2) == ([], cursor)


async def test_concurrent_writers_hide_no_revocation(auth_server, token, database):
    """Readers of small pages find every revocation of four concurrent writers, and none twice in one read."""
    written: list[str] = []

    async def write():
        async with await psycopg.AsyncConnection.connect(database.auth_url) as connection:
            for _ in range(25):
                batch = [str(uuid4()) for _ in range(3)]
                for session_id in batch:
                    await connection.execute(REVOKE, [session_id])
                await connection.commit()
                written.extend(batch)

    writing = asyncio.gather(*(write() for _ in range(4)))
    seen: set[str] = set()
    cursor, is_last = "", False
    while not is_last:
        is_last = writing.done()
        found, cursor = await read_all(auth_server, token, cursor, page_size=7)
        assert len(found) == len(set(found))
        seen.update(found)
    await writing
    assert len(written) == 300
    assert seen == set(written)


@pytest.mark.parametrize("page_size", [0, MAX_REVOCATIONS + 1])
async def test_page_size_has_a_maximum(auth_server, token, database, page_size):
    database.rows(REVOKE_MANY, MAX_REVOCATIONS + 1)
    page = await auth_server.trust_state(token, page_size=page_size)
    assert (len(page.revocations), page.has_more) == (MAX_REVOCATIONS, True)


async def test_negative_page_size_is_rejected(auth_server, token):
    status = await refused(auth_server.trust_state(token, page_size=-1))
    assert status.code == grpc.StatusCode.INVALID_ARGUMENT
    assert [violation.reason for violation in status.violations] == ["NEGATIVE_PAGE_SIZE"]


async def test_many_password_changes_leave_one_revocation(auth_server, token, database):
    user = await auth_server.register()
    tokens, password = [(await auth_server.login()).access_token], PASSWORD
    for number in range(6):
        new = f"{PASSWORD} {number}"
        tokens.append((await auth_server.change_password(tokens[-1], password, new)).access_token)
        password = new
    assert database.rows(EPOCHS) == [(UUID(user.id), 6)]
    [revocation] = (await auth_server.trust_state(token)).revocations
    assert (revocation.user_epoch.user_id, revocation.user_epoch.min_epoch) == (user.id, 6)
    for old in tokens[:-1]:
        assert (await until_refused(partial(auth_server.me, old))).reason == "TOKEN_REVOKED"
    assert (await auth_server.me(tokens[-1])).username == "sonu"


async def test_newer_transaction_keeps_its_revocation(database):
    """A transaction with a lower id removes no revocation of a later transaction, which a reader may have passed."""
    user_id, expires_at = uuid4(), utc_now().replace(year=2100)
    async with open_pool(database.auth_url, name="test", size=2) as pool:
        async with SqlAuthUnitOfWork(pool) as slow:
            # The transaction gets its id here.
            await slow.connection.execute("SELECT pg_current_xact_id()")
            async with SqlAuthUnitOfWork(pool) as quick:
                await quick.revocations.raise_epoch(EpochRaised(user_id, 1, expires_at))
                await quick.commit()
            await slow.revocations.raise_epoch(EpochRaised(user_id, 2, expires_at))
            await slow.commit()
        assert database.rows(EPOCHS) == [(user_id, 1), (user_id, 2)]
        async with SqlAuthUnitOfWork(pool) as work:
            await work.revocations.raise_epoch(EpochRaised(user_id, 3, expires_at))
            await work.commit()
    assert database.rows(EPOCHS) == [(user_id, 3)]
