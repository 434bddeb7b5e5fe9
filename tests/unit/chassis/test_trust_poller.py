"""Keeping the trust state fresh, with a fetch of the test's."""

import asyncio

from taskmanager.trust.v1 import trust_service_pb2

from chassis.rpc.trust import TrustPoller, TrustState

ANSWER = trust_service_pb2.TrustState(next_cursor="7")


async def test_each_poll_asks_from_where_the_last_answer_ended():
    asked = []

    async def fetch(cursor):
        asked.append(cursor)
        return ANSWER

    poller = TrustPoller(state=TrustState(), fetch=fetch)
    assert not poller.first_response.is_set()
    await poller.poll()
    await poller.poll()
    assert asked == ["", "7"]
    assert poller.first_response.is_set()


async def test_a_poll_that_fails_keeps_what_is_known_and_the_next_one_asks_from_the_beginning():
    asked = []

    async def fetch(cursor):
        asked.append(cursor)
        if len(asked) == 2:
            raise ConnectionError
        return trust_service_pb2.TrustState(
            keys=[trust_service_pb2.VerificationKey(kid="k", public_key=bytes(32))], next_cursor="7"
        )

    state = TrustState()
    poller = TrustPoller(state=state, fetch=fetch)
    for _ in range(3):
        await poller.poll()
        assert state.key("k")
    assert asked == ["", "7", ""]


async def test_an_unknown_key_brings_the_next_poll_forward():
    polls: asyncio.Queue[str] = asyncio.Queue()

    async def fetch(cursor):
        polls.put_nowait(cursor)
        return ANSWER

    state = TrustState()
    running = asyncio.create_task(TrustPoller(state=state, fetch=fetch).run())
    try:
        async with asyncio.timeout(30):
            await polls.get()
            state.unknown_key_met.set()
            await polls.get()
            assert not state.unknown_key_met.is_set()
    finally:
        running.cancel()
