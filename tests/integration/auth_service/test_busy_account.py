"""One account whose password is right can't take the capacity that all logins need.

A success resets the account's rate limit, so such an account never reaches it. The tests hold the row lock of one
account: its logins stop after their password check, with a database connection each, until the test ends.
"""

import asyncio
from contextlib import asynccontextmanager
from itertools import pairwise

import grpc
import psycopg
import pytest

from chassis.rpc.errors import read_status
from tests.integration.auth_service.auth_server import PASSWORD, make_settings, running_auth_server
from tests.integration.auth_service.login_attempts import THROTTLED, outcomes
from tests.support.waiting import until

BUSY = (grpc.StatusCode.RESOURCE_EXHAUSTED, "PASSWORD_CHECKS_BUSY")
MAX_CALLS = 50
BLOCKED = """
    SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


@pytest.fixture
def settings(database):
    """Let calls wait for locks and turns as long as a test takes, and have few connections."""
    name = database.administrator_url.rpartition("/")[2]
    for setting in ("lock_timeout", "statement_timeout"):
        database.rows(f"ALTER ROLE auth_app IN DATABASE {name} SET {setting} = '60s'")
    return make_settings(database.auth_url, database_pool_size=3, hash_wait_seconds=60)


@asynccontextmanager
async def flood(auth_server, database, *, calls):
    """Yield concurrent logins of one account, two of which wait for the lock of its row."""
    await auth_server.register()
    with psycopg.connect(database.administrator_url) as lock:
        lock.execute("SELECT 1 FROM auth.users FOR UPDATE")
        await auth_server.register("mona")
        running = [asyncio.ensure_future(auth_server.login()) for _ in range(calls)]
        try:
            await until(lambda: database.rows(BLOCKED)[0][0] >= 2)
            yield running
        finally:
            lock.rollback()
            await asyncio.gather(*running, return_exceptions=True)


async def test_quiet_user_logs_in_while_another_floods(auth_server, database):
    """The flood has two of three connections, and its further calls wait without one."""
    async with flood(auth_server, database, calls=30) as running:
        assert (await auth_server.login("mona@example.com")).access_token
        assert not any(login.done() for login in running)
        assert database.rows(BLOCKED) == [(2,)]
    # The calls that waited succeed.
    assert all(login.result().access_token for login in running)


async def test_calls_that_wait_for_one_account_are_bounded(auth_server, database):
    """Further calls are refused at once, so that the waiting ones do not use up the capacity for calls."""
    async with flood(auth_server, database, calls=MAX_CALLS + 7) as running:
        await until(lambda: sum(login.done() for login in running) == 7)
        for call in filter(asyncio.Future.done, running):
            error = call.exception()
            assert isinstance(error, grpc.aio.AioRpcError)
            status = read_status(error)
            assert (status.code, status.reason) == BUSY
            assert status.retry_after_seconds == 1.0
    assert sum(call.exception() is None for call in running) == MAX_CALLS


async def test_cancelled_call_gives_its_turn_back(auth_server, database):
    async with flood(auth_server, database, calls=4) as running:
        for login in running:
            login.cancel()
        await asyncio.wait(running)
    assert (await auth_server.login()).access_token


@pytest.mark.parametrize("email", ["mona@example.com", "nobody@example.com"])
async def test_right_passwords_leave_the_shared_limit_alone(database, email):
    """Logins and password changes with the right password do not use up the attempts of all accounts together."""
    async with running_auth_server(make_settings(database.auth_url, logins_per_second=1)) as auth_server:
        for name in ("sonu", "mona"):
            await auth_server.register(name)
        for _ in range(30):
            token = (await auth_server.login()).access_token
        passwords = [PASSWORD, *(f"{PASSWORD} {number}" for number in range(30))]
        for current, new in pairwise(passwords):
            token = (await auth_server.change_password(token, current, new)).access_token
        assert THROTTLED not in await outcomes(auth_server.login(email))


async def test_unchecked_passwords_leave_the_shared_limit_alone(database):
    """An attempt whose password is not checked, because the hashing threads are busy, is given back."""
    busy_settings = make_settings(
        database.auth_url,
        logins_per_second=1,
        hash_concurrency=1,
        hash_wait_seconds=0.001,
        argon2_memory_kib=65_536,
        argon2_time_cost=3,
    )
    async with running_auth_server(busy_settings) as auth_server:
        results = await outcomes(*(auth_server.login(f"user{number}@example.com", "guess") for number in range(10)))
        checked = len(results) - results.count(BUSY)
        assert checked < 10
        for number in range(10 - checked):
            assert THROTTLED not in await outcomes(auth_server.login(f"other{number}@example.com", "guess"))
