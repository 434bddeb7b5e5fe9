"""One caller with more open streams than a process gives to one: nobody else notices."""

import asyncio
from uuid import uuid4

import grpc
import pytest
from grpc import aio

from chassis.rpc.errors import read_status
from chassis.limits.load_shed import Capacity
from tests.integration.chassis.busy_server import SECONDS, counted, running
from tests.small_server import GET, WATCH, person

MOST = 3


@pytest.fixture
async def busy():
    async with running(Capacity(max_concurrent_calls=10, streams=10, max_streams_per_caller=MOST)) as busy:
        yield busy


def session_of(user: str) -> tuple[tuple[str, str], ...]:
    """Another login of the same user."""
    return person(sub=user)


async def opened(busy, user: str):
    watch = busy.imports.WatchImport(WATCH, metadata=session_of(user))
    assert (await watch.read()).id == "begun"
    return watch


async def refused(busy, user: str):
    with pytest.raises(aio.AioRpcError) as caught:
        await busy.imports.WatchImport(WATCH, metadata=session_of(user), timeout=SECONDS).read()
    return read_status(caught.value)


async def test_a_stream_too_many_of_one_caller_is_refused_and_others_are_not(busy):
    ann, ben = str(uuid4()), str(uuid4())
    refusals = counted("grpc_server_shed_total", kind="caller")
    watches = [await opened(busy, ann) for _ in range(MOST)]
    status = await refused(busy, ann)
    assert (status.code, status.reason, status.retry_after) == (
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "TOO_MANY_STREAMS",
        5.0,
    )
    assert counted("grpc_server_shed_total", kind="caller") == refusals + 1
    watches.append(await opened(busy, ben))
    busy.servicer.go_on.set()
    assert (await busy.imports.GetImport(GET, metadata=session_of(ann), timeout=SECONDS)).id == "answered"


async def test_many_at_once_get_as_far_as_one_after_the_other(busy):
    ann = str(uuid4())
    watches = [busy.imports.WatchImport(WATCH, metadata=session_of(ann), timeout=SECONDS) for _ in range(3 * MOST)]
    answers = await asyncio.gather(*(watch.read() for watch in watches), return_exceptions=True)
    assert len([answer for answer in answers if isinstance(answer, aio.AioRpcError)]) == 2 * MOST
    busy.servicer.go_on.set()


async def test_a_stream_that_ended_either_way_makes_room(busy):
    ann = str(uuid4())
    watches = [await opened(busy, ann) for _ in range(MOST)]
    watches[0].cancel()
    async with asyncio.timeout(SECONDS):
        while True:
            try:
                watches[0] = await opened(busy, ann)
                break
            except aio.AioRpcError:  # the server had not yet heard of the one that was given up
                await asyncio.sleep(0.01)
    assert (await refused(busy, ann)).reason == "TOO_MANY_STREAMS"
    busy.servicer.go_on.set()
    for watch in watches:
        assert await watch.code() is grpc.StatusCode.OK
    await opened(busy, ann)


async def test_a_refused_stream_takes_no_place(busy):
    ann = str(uuid4())
    watches = [await opened(busy, ann) for _ in range(MOST)]
    for _ in range(10):
        assert (await refused(busy, ann)).reason == "TOO_MANY_STREAMS"
    # All ten places of the process would be gone, if each refusal kept one.
    watches.append(await opened(busy, str(uuid4())))
    busy.servicer.go_on.set()
