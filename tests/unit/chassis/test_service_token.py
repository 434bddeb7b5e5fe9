"""The cache of a service's token."""

import asyncio

import grpc
import pytest
from grpc import aio

from chassis.rpc.service_token import TokenSource

LIFETIME_SECONDS = 900.0


class Issuer:
    """Issuer of token-1, token-2 and so on."""

    def __init__(self) -> None:
        self.issued = 0

    async def __call__(self) -> tuple[str, float]:
        self.issued += 1
        await asyncio.sleep(0)
        return f"token-{self.issued}", LIFETIME_SECONDS


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


async def failing_call(source: TokenSource, code: grpc.StatusCode) -> None:
    with pytest.raises(aio.AioRpcError):
        async with source.authorize():
            raise aio.AioRpcError(code)


async def test_token_is_replaced_before_it_expires(issuer):
    now = 0.0
    source = TokenSource(issue=issuer, now=lambda: now)
    assert await source() == "token-1"
    now = LIFETIME_SECONDS * 0.79
    assert await source() == "token-1"
    now = LIFETIME_SECONDS * 0.8
    assert await source() == "token-2"


async def test_concurrent_calls_share_one_token(issuer):
    source = TokenSource(issue=issuer)
    assert set(await asyncio.gather(source(), source(), source())) == {"token-1"}


async def test_call_carries_the_token_as_metadata(issuer):
    async with TokenSource(issue=issuer).authorize() as metadata:
        assert metadata == (("authorization", "Bearer token-1"),)


async def test_rejected_token_is_replaced_by_the_next_call(issuer):
    source = TokenSource(issue=issuer)
    await failing_call(source, grpc.StatusCode.UNAUTHENTICATED)
    assert await source() == "token-2"


@pytest.mark.parametrize("code", [grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAVAILABLE])
async def test_other_errors_keep_the_token(issuer, code):
    source = TokenSource(issue=issuer)
    await failing_call(source, code)
    assert await source() == "token-1"


async def test_late_rejection_of_an_old_token_keeps_the_new_one(issuer):
    source = TokenSource(issue=issuer)

    async def late_call() -> None:
        async with source.authorize():
            await failing_call(source, grpc.StatusCode.UNAUTHENTICATED)
            assert await source() == "token-2"
            raise aio.AioRpcError(grpc.StatusCode.UNAUTHENTICATED)

    with pytest.raises(aio.AioRpcError):
        await late_call()
    assert await source() == "token-2"
