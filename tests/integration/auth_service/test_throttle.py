"""Limits on password attempts and on public calls. Attempts are counted before the password is checked."""

import asyncio

import grpc
import pytest

from chassis.limits.rate_limit_interceptor import peer_address
from tests.integration.auth_service.auth_server import PASSWORD, make_settings, running_auth_server
from tests.integration.auth_service.login_attempts import THROTTLED, hash_count, outcomes
from tests.support.grpc_calls import refused
from tests.support.metrics import metric_value
from tests.support.waiting import until


@pytest.fixture
def settings(database):
    """Refill one attempt an hour, so that none refills during a test."""
    return make_settings(database.auth_url, login_attempt_seconds=3600)


@pytest.mark.parametrize("email", ["sonu@example.com", "nobody@example.com"])
async def test_concurrent_guesses_do_not_exceed_the_limit(auth_server, database, email):
    """A hundred concurrent guesses at two servers get as many password checks as ten in sequence."""
    await auth_server.register()
    before = hash_count()
    # Two servers share the counter, which is in the database.
    async with running_auth_server(auth_server.settings) as second:
        results = await outcomes(
            *(each.login(email, f"guess {number}") for number in range(50) for each in (auth_server, second))
        )
    assert results.count(THROTTLED) == 90
    assert hash_count() - before == 10
    status = await refused(auth_server.login(email, "one more"))
    assert status.retry_after_seconds is not None
    assert 3500 < status.retry_after_seconds <= 3600


async def test_throttled_login_checks_no_password(auth_server):
    await auth_server.register()
    await outcomes(*(auth_server.login(password=f"guess {number}") for number in range(10)))
    before, throttled = hash_count(), metric_value("auth_logins_throttled_total", limit="account")
    assert (await refused(auth_server.login())).reason == "TOO_MANY_ATTEMPTS"
    assert hash_count() == before
    assert metric_value("auth_logins_throttled_total", limit="account") == throttled + 1


async def test_throttle_refills_and_success_resets_it(auth_server, database):
    await auth_server.register()
    await outcomes(*(auth_server.login(password=f"guess {number}") for number in range(30)))
    # Move the counters one hour back.
    refill = "UPDATE auth.login_attempts SET theoretical_arrival_at = theoretical_arrival_at - interval '1 hour'"
    database.rows(refill)
    assert (await auth_server.login()).access_token
    # A successful login resets the counter.
    results = await outcomes(*(auth_server.login(password=f"guess {number}") for number in range(11)))
    assert results.count(THROTTLED) == 1


async def test_throttle_affects_neither_sessions_nor_others(auth_server):
    """Guesses at one account leave its sessions and the other accounts alone."""
    for name in ("sonu", "mona"):
        await auth_server.register(name)
    login = await auth_server.login()
    await outcomes(*(auth_server.login(password=f"guess {number}") for number in range(20)))
    assert (await auth_server.refresh(login.refresh_token)).access_token
    assert (await auth_server.login("mona@example.com")).access_token


async def test_throttle_ignores_the_spelling_of_the_email(auth_server):
    await auth_server.register()
    spellings = [
        "sonu@example.com",
        "SONU@example.com",
        " sonu@EXAMPLE.com",
        "\N{FULLWIDTH LATIN SMALL LETTER S}onu@example.com",
    ]
    results = await outcomes(*(auth_server.login(spellings[number % 4], f"guess {number}") for number in range(20)))
    assert results.count(THROTTLED) == 10


async def test_password_changes_share_the_login_limit(auth_server):
    await auth_server.register()
    token = (await auth_server.login()).access_token
    calls = (auth_server.change_password(token, f"guess {number}", "another horse") for number in range(20))
    results = await outcomes(*calls, *(auth_server.login(password=f"guess {number}") for number in range(20)))
    assert results.count(THROTTLED) == 30


async def test_all_accounts_share_an_overall_limit(database):
    async with running_auth_server(make_settings(database.auth_url, logins_per_second=1)) as auth_server:
        before = hash_count()
        results = await outcomes(*(auth_server.login(f"user{number}@example.com", "guess") for number in range(40)))
        accepted = len(results) - results.count(THROTTLED)
        assert 10 <= accepted < 20
        assert hash_count() - before == accepted
        status = await refused(auth_server.login("yet-another@example.com", "guess"))
        assert (status.code, status.reason) == THROTTLED


async def test_throttling_is_recorded_once_a_minute(auth_server, database):
    user = await auth_server.register()
    for _ in range(2):
        await outcomes(*(auth_server.login(password=f"guess {number}") for number in range(20)))
    events = database.rows("SELECT subject_id::text FROM auth.security_events WHERE kind = 'login_throttled'")
    assert events == [(user.id,)]


async def test_attempt_keys_are_digests(auth_server, database):
    await refused(auth_server.login("canary@example.com", PASSWORD))
    assert "canary" not in str(database.rows("SELECT login_attempts::text FROM auth.login_attempts"))


async def reason_while_hashing(auth_server, email):
    """Return the reason of a refused login during the password check of another account."""
    before = hash_count()
    other = asyncio.ensure_future(refused(auth_server.login(email, "guess")))
    await until(lambda: hash_count() > before)
    status = await refused(auth_server.login(password="guess"))
    await other
    return status.reason


async def test_unchecked_passwords_do_not_count(database):
    """An attempt is given back if all hashing threads work for other accounts."""
    busy_settings = make_settings(
        database.auth_url,
        hash_concurrency=1,
        hash_wait_seconds=0.001,
        argon2_memory_kib=65_536,
        argon2_time_cost=10,
        login_attempts=2,
        login_attempt_seconds=3600,
    )
    async with running_auth_server(busy_settings) as auth_server:
        for number in range(3):
            assert await reason_while_hashing(auth_server, f"user{number}@example.com") == "PASSWORD_CHECKS_BUSY"
        reasons = [(await refused(auth_server.login(password="guess"))).reason for _ in range(3)]
    assert reasons == ["INVALID_CREDENTIALS", "INVALID_CREDENTIALS", "TOO_MANY_ATTEMPTS"]


async def test_public_calls_are_limited_by_address(database):
    """Calls without a token are limited per client address. Trusted peers, which are gateways, are exempt."""
    limited_settings = make_settings(database.auth_url, public_calls_per_minute=3)
    async with running_auth_server(limited_settings) as auth_server:
        results = await outcomes(*(auth_server.login(f"user{number}@example.com", "guess") for number in range(5)))
        assert results.count((grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_CALLS")) == 2
        assert (await refused(auth_server.refresh("x"))).retry_after_seconds
        # Calls that need a token do not count.
        assert (await refused(auth_server.me("x"))).reason == "UNAUTHENTICATED"
    trusting_settings = make_settings(
        database.auth_url, public_calls_per_minute=3, trusted_peers="10.0.0.0/8, 127.0.0.0/8"
    )
    async with running_auth_server(trusting_settings) as auth_server:
        results = await outcomes(*(auth_server.login(f"user{number}@example.com", "guess") for number in range(5)))
        assert {code for code, _ in results} == {grpc.StatusCode.UNAUTHENTICATED}


@pytest.mark.parametrize(
    ("peer", "address"),
    [("ipv4:127.0.0.1:5000", "127.0.0.1"), ("ipv6:%5B::1%5D:5000", "::1"), ("unix:/run/s", "unix:/run/s")],
)
def test_address_is_parsed_from_the_grpc_peer(peer, address):
    assert peer_address(peer) == address
