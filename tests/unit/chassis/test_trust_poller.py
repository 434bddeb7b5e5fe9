"""Polling of the trust state with a fetch function of the test."""

import asyncio

from taskmanager.trust.v1 import trust_service_pb2

from chassis.rpc.trust import TrustPoller, TrustState

STATE = trust_service_pb2.TrustState(next_cursor="7")


async def test_poll_continues_at_the_last_cursor():
    cursors = []

    async def fetch(cursor):
        cursors.append(cursor)
        return STATE

    poller = TrustPoller(state=TrustState(), fetch=fetch)
    assert not poller.first_response.is_set()
    await poller.poll()
    await poller.poll()
    assert cursors == ["", "7"]
    assert poller.first_response.is_set()


async def test_failed_poll_keeps_state_and_restarts():
    """A failed poll keeps the known state; the next poll starts from the beginning."""
    cursors = []

    async def fetch(cursor):
        cursors.append(cursor)
        if len(cursors) == 2:
            raise ConnectionError
        return trust_service_pb2.TrustState(
            keys=[trust_service_pb2.VerificationKey(kid="k", public_key=bytes(32))], next_cursor="7"
        )

    state = TrustState()
    poller = TrustPoller(state=state, fetch=fetch)
    for _ in range(3):
        await poller.poll()
        assert state.key("k")
    assert cursors == ["", "7", ""]


async def test_unknown_key_advances_the_next_poll():
    polls: asyncio.Queue[str] = asyncio.Queue()

    async def fetch(cursor):
        polls.put_nowait(cursor)
        return STATE

    state = TrustState()
    running = asyncio.create_task(TrustPoller(state=state, fetch=fetch).run())
    try:
        async with asyncio.timeout(30):
            await polls.get()
            state.unknown_key_seen.set()
            await polls.get()
            assert not state.unknown_key_seen.is_set()
    finally:
        running.cancel()
