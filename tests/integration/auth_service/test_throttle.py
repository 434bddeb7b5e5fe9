"""Guessing is slow: attempts are counted before anything is looked at, however many come at once."""

import asyncio

import grpc
import psycopg
import pytest

from chassis.limits.rate_limit_interceptor import peer_address
from chassis.rpc.errors import read_status
from tests.integration.auth_service.door import PASSWORD, opened, refused, settings_for
from tests.integration.auth_service.test_login import hashes

THROTTLED = (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_ATTEMPTS")


@pytest.fixture
def settings(databases):
    """An attempt an hour, so that no test is quick enough to see one refill."""
    return settings_for(databases.auth_url, login_attempt_seconds=3600)


def rows(databases, statement, *values):
    with psycopg.connect(databases.administrator_url) as connection:
        cursor = connection.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


async def outcomes(*calls):
    answers = await asyncio.gather(*calls, return_exceptions=True)
    return [
        (read_status(answer).code, read_status(answer).reason) if isinstance(answer, grpc.aio.AioRpcError) else answer
        for answer in answers
    ]


@pytest.mark.parametrize("email", ["sonu@example.com", "nobody@example.com"])
async def test_a_hundred_guesses_at_once_get_as_far_as_ten_in_a_row(door, databases, email):
    await door.register()
    before = hashes()
    # Through two processes' worth of servers: the count is the database's.
    async with opened(door.settings) as second:
        found = await outcomes(
            *(each.login(email, f"guess {number}") for number in range(50) for each in (door, second))
        )
    assert found.count(THROTTLED) == 90
    assert hashes() - before == 10
    status = await refused(door.login(email, "one more"))
    assert status.retry_after is not None
    assert 3500 < status.retry_after <= 3600


async def test_the_right_password_is_not_even_looked_at_while_the_account_is_throttled(door):
    await door.register()
    await outcomes(*(door.login(password=f"guess {number}") for number in range(10)))
    before = hashes()
    assert (await refused(door.login())).reason == "TOO_MANY_ATTEMPTS"
    assert hashes() == before


async def test_it_slows_and_never_shuts_out_for_good(door, databases):
    await door.register()
    await outcomes(*(door.login(password=f"guess {number}") for number in range(30)))
    # An hour later.
    rows(databases, "UPDATE auth.login_attempts SET paid_at = paid_at - interval '1 hour'")
    assert (await door.login()).access_token
    # A success is a new beginning.
    found = await outcomes(*(door.login(password=f"guess {number}") for number in range(11)))
    assert found.count(THROTTLED) == 1


async def test_who_is_guessed_at_stays_logged_in_and_others_notice_nothing(door):
    for name in ("sonu", "mona"):
        await door.register(name)
    login = await door.login()
    await outcomes(*(door.login(password=f"guess {number}") for number in range(20)))
    assert (await door.refresh(login.refresh_token)).access_token
    assert (await door.login("mona@example.com")).access_token


async def test_spelling_an_email_differently_gives_no_more_attempts(door):
    await door.register()
    spelt = [
        "sonu@example.com",
        "SONU@example.com",
        " sonu@EXAMPLE.com",
        "\N{FULLWIDTH LATIN SMALL LETTER S}onu@example.com",
    ]
    found = await outcomes(*(door.login(spelt[number % 4], f"guess {number}") for number in range(20)))
    assert found.count(THROTTLED) == 10


async def test_changing_the_password_offers_no_other_way_to_guess_it(door):
    await door.register()
    token = (await door.login()).access_token
    calls = (door.change_password(token, f"guess {number}", "another horse") for number in range(20))
    found = await outcomes(*calls, *(door.login(password=f"guess {number}") for number in range(20)))
    assert found.count(THROTTLED) == 30


async def test_all_accounts_together_have_an_allowance_too(databases):
    async with opened(settings_for(databases.auth_url, logins_per_second=1)) as door:
        before = hashes()
        found = await outcomes(*(door.login(f"user{number}@example.com", "guess") for number in range(40)))
        passed = len(found) - found.count(THROTTLED)
        assert 10 <= passed < 20
        assert hashes() - before == passed
        status = await refused(door.login("yet-another@example.com", "guess"))
        assert (status.code, status.reason) == THROTTLED


async def test_an_attack_writes_one_line_a_minute_and_not_one_a_guess(door, databases):
    user = await door.register()
    for _ in range(2):
        await outcomes(*(door.login(password=f"guess {number}") for number in range(20)))
    noted = rows(databases, "SELECT subject_id::text FROM auth.security_events WHERE kind = 'login_throttled'")
    assert noted == [(user.id,)]


async def test_attempts_are_kept_under_digests(door, databases):
    await refused(door.login("canary@example.com", PASSWORD))
    assert "canary" not in str(rows(databases, "SELECT login_attempts::text FROM auth.login_attempts"))


async def test_a_password_that_nobody_could_check_is_no_attempt(databases):
    narrow = settings_for(
        databases.auth_url,
        hash_concurrency=1,
        hash_wait_seconds=0.001,
        argon2_memory_kib=65_536,
        argon2_time_cost=3,
        login_attempt_seconds=3600,
    )
    async with opened(narrow) as door:
        await door.register()
        found = await outcomes(*(door.login(password="guess") for _ in range(8)))
        looked_at = found.count((grpc.StatusCode.UNAUTHENTICATED, "INVALID_CREDENTIALS"))
        assert looked_at < 8
        allowed = [await outcomes(door.login(password="guess")) for _ in range(10 - looked_at)]
        assert [[THROTTLED]] not in allowed
        assert (await refused(door.login())).reason == "TOO_MANY_ATTEMPTS"


async def test_who_calls_directly_is_counted_by_address_unless_it_is_a_gateway(databases):
    few = settings_for(databases.auth_url, public_calls_per_minute=3)
    async with opened(few) as door:
        found = await outcomes(*(door.login(f"user{number}@example.com", "guess") for number in range(5)))
        assert found.count((grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_CALLS")) == 2
        assert (await refused(door.refresh("x"))).retry_after
        # What needs a token is not counted.
        assert (await refused(door.me("x"))).reason == "UNAUTHENTICATED"
    trusting = settings_for(databases.auth_url, public_calls_per_minute=3, trusted_peers="10.0.0.0/8, 127.0.0.0/8")
    async with opened(trusting) as door:
        found = await outcomes(*(door.login(f"user{number}@example.com", "guess") for number in range(5)))
        assert {code for code, _ in found} == {grpc.StatusCode.UNAUTHENTICATED}


@pytest.mark.parametrize(
    ("peer", "address"),
    [("ipv4:127.0.0.1:5000", "127.0.0.1"), ("ipv6:%5B::1%5D:5000", "::1"), ("unix:/run/s", "unix:/run/s")],
)
def test_the_address_is_read_from_what_grpc_calls_a_peer(peer, address):
    assert peer_address(peer) == address
