"""Exchange of personal access tokens with a clock of the test: caching, renewal, sharing, and limits."""

import asyncio

import grpc
import pytest
from taskmanager.auth.v1 import token_service_pb2, token_service_pb2_grpc

from chassis.kernel.personal_tokens import build_personal_token
from gateway.clients import token_exchange
from gateway.clients.token_exchange import REFUSED_SECONDS, TokenExchange, TokenRefused
from tests.support.waiting import until

TOKEN = build_personal_token(bytes(32))
STREAM = float("inf")


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


class Setup:
    """An exchange with a clock, and the fake service behind it, which issues 1, 2 and so on for 900 seconds."""

    def __init__(self, services, channel) -> None:
        self.services, self.clock = services, Clock()
        self.exchange = TokenExchange(
            token_service_pb2_grpc.TokenServiceStub(channel), timeout_seconds=10, now=self.clock
        )
        self.lifetime = 900
        self.issued = 0
        self.counted = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.succeed()

    def succeed(self) -> None:
        self.services.handlers["ExchangeToken"] = self._reply

    def fail(self, code: grpc.StatusCode, reason: str) -> None:
        self.services.fail_with("ExchangeToken", code, reason)

    async def _reply(self, _request, _context):
        await self.may_answer.wait()
        self.issued += 1
        return token_service_pb2.ExchangeTokenResponse(access_token=str(self.issued), expires_in=self.lifetime)

    async def count(self) -> None:
        self.counted += 1

    async def get(self, token: str = TOKEN, seconds: float = 15) -> str:
        exchanged = await self.exchange.get(token, needed_seconds=seconds, before_exchange=self.count)
        return exchanged.access_token


@pytest.fixture
async def setup(services):
    async with grpc.aio.insecure_channel(f"127.0.0.1:{services.port}") as channel:
        yield Setup(services, channel)


async def test_jwt_is_used_until_a_call_could_outlive_it(setup):
    assert await setup.get() == "1"
    setup.clock.seconds += 885
    assert await setup.get() == "1"
    setup.clock.seconds += 1
    assert await setup.get() == "2"


async def test_streams_need_half_of_the_life_of_a_jwt(setup):
    assert await setup.get(seconds=STREAM) == "1"
    setup.clock.seconds += 450
    assert await setup.get(seconds=STREAM) == "1"
    setup.clock.seconds += 1
    assert await setup.get() == "1"
    assert await setup.get(seconds=STREAM) == "2"


async def test_short_jwt_is_used_for_half_of_its_life(setup):
    """A token in its last seconds gets JWTs that end with it. They must not be exchanged for each call."""
    setup.lifetime = 10
    assert [await setup.get() for _ in range(3)] == ["1", "1", "1"]
    setup.clock.seconds += 6
    assert await setup.get() == "2"


async def test_concurrent_calls_share_one_exchange(setup):
    setup.may_answer.clear()
    calls = asyncio.gather(*(setup.get() for _ in range(50)))
    await setup.services.called.wait()
    setup.may_answer.set()
    assert await calls == ["1"] * 50
    assert (setup.issued, setup.counted) == (1, 1)


async def test_cancelled_call_does_not_cancel_the_others(setup):
    """The first call of a token starts its exchange, and its client may leave before the answer."""
    setup.may_answer.clear()
    first, second = [asyncio.create_task(setup.get()) for _ in range(2)]
    await setup.services.called.wait()
    first.cancel()
    await until(first.done)
    setup.may_answer.set()
    assert await second == "1"
    assert setup.issued == 1


async def test_abandoned_exchange_is_used_by_the_next_call(setup):
    setup.may_answer.clear()
    only = asyncio.create_task(setup.get())
    await setup.services.called.wait()
    only.cancel()
    setup.may_answer.set()
    await until(lambda: setup.issued == 1)
    assert await setup.get() == "1"


async def test_refusal_is_remembered_for_a_short_time(setup):
    setup.fail(grpc.StatusCode.UNAUTHENTICATED, "INVALID_PERSONAL_TOKEN")
    for _ in range(3):
        with pytest.raises(TokenRefused):
            await setup.get()
    assert setup.services.calls == 1
    setup.clock.seconds += REFUSED_SECONDS
    with pytest.raises(TokenRefused):
        await setup.get()
    assert setup.services.calls == 2


async def test_refused_renewal_ends_the_cached_jwt(setup):
    assert await setup.get() == "1"
    setup.clock.seconds += 500
    setup.fail(grpc.StatusCode.UNAUTHENTICATED, "PERSONAL_TOKEN_REVOKED")
    with pytest.raises(TokenRefused):
        await setup.get(seconds=STREAM)
    setup.clock.seconds += REFUSED_SECONDS
    with pytest.raises(TokenRefused):
        await setup.get()


async def test_failed_renewal_leaves_the_valid_jwt_in_use(setup):
    """A stream wants a fresh JWT, but while auth_service is away an older one is better than none."""
    assert await setup.get() == "1"
    setup.clock.seconds += 500
    setup.fail(grpc.StatusCode.INTERNAL, "INTERNAL")
    assert await setup.get(seconds=STREAM) == "1"
    setup.clock.seconds += 400
    with pytest.raises(grpc.aio.AioRpcError):
        await setup.get()


async def test_foreign_refusal_says_nothing_about_the_token(setup):
    """A proxy between the gateway and auth_service may refuse the gateway itself."""

    async def reply(_request, context):
        await context.abort(grpc.StatusCode.UNAUTHENTICATED, "no certificate")

    setup.services.handlers["ExchangeToken"] = reply
    with pytest.raises(grpc.aio.AioRpcError):
        await setup.get()
    setup.succeed()
    assert await setup.get() == "1"


async def test_only_the_refused_jwt_is_discarded(setup):
    old = await setup.exchange.get(TOKEN, needed_seconds=15, before_exchange=setup.count)
    setup.exchange.discard(TOKEN, old)
    assert await setup.get() == "2"
    # A slow call that used the old JWT learns late that it has ended.
    setup.exchange.discard(TOKEN, old)
    assert await setup.get() == "2"


async def test_caches_are_bounded(setup, monkeypatch):
    """Nobody fills the memory of the gateway with tokens, valid or not. The oldest entry goes first."""
    monkeypatch.setattr(token_exchange, "MAX_CACHED_TOKENS", 3)
    setup.exchange = TokenExchange(setup.exchange._stub, timeout_seconds=10, now=setup.clock)
    tokens = [build_personal_token(number.to_bytes(32)) for number in range(4)]
    assert [await setup.get(token) for token in tokens] == ["1", "2", "3", "4"]
    assert [await setup.get(token) for token in tokens[1:]] == ["2", "3", "4"]
    assert await setup.get(tokens[0]) == "5"
    memory = repr(setup.exchange._exchanged._entries)
    assert not [token for token in tokens if token in memory]
