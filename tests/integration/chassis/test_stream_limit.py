"""Limit of open streams per caller, which other callers do not notice."""

import asyncio
from uuid import uuid4

import grpc
import pytest
from grpc import aio

from chassis.limits.load_shed import Capacity
from chassis.rpc.errors import read_status
from tests.integration.chassis.busy_server import SECONDS, running_busy_server
from tests.support.grpc_server import GET_IMPORT, WATCH_IMPORT, user_metadata
from tests.support.metrics import metric_value

MAX_STREAMS = 3


@pytest.fixture
async def busy():
    async with running_busy_server(
        Capacity(max_concurrent_calls=10, max_concurrent_streams=10, max_streams_per_caller=MAX_STREAMS)
    ) as busy:
        yield busy


def login_of(user: str) -> tuple[tuple[str, str], ...]:
    """Return metadata of a new login of the same user."""
    return user_metadata(sub=user)


async def open_watch(busy, user: str):
    watch = busy.imports.WatchImport(WATCH_IMPORT, metadata=login_of(user))
    assert (await watch.read()).id == "started"
    return watch


async def refused_watch(busy, user: str):
    with pytest.raises(aio.AioRpcError) as caught:
        await busy.imports.WatchImport(WATCH_IMPORT, metadata=login_of(user), timeout=SECONDS).read()
    return read_status(caught.value)


async def test_streams_are_limited_per_caller(busy):
    """One caller's stream over the limit is refused; other callers' streams are not."""
    ann, ben = str(uuid4()), str(uuid4())
    refusals = metric_value("grpc_server_shed_total", kind="caller")
    watches = [await open_watch(busy, ann) for _ in range(MAX_STREAMS)]
    status = await refused_watch(busy, ann)
    assert (status.code, status.reason, status.retry_after_seconds) == (
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "TOO_MANY_STREAMS",
        5.0,
    )
    assert metric_value("grpc_server_shed_total", kind="caller") == refusals + 1
    watches.append(await open_watch(busy, ben))
    busy.servicer.proceed.set()
    assert (await busy.imports.GetImport(GET_IMPORT, metadata=login_of(ann), timeout=SECONDS)).id == "response"


async def test_concurrent_streams_meet_the_same_limit(busy):
    ann = str(uuid4())
    watches = [
        busy.imports.WatchImport(WATCH_IMPORT, metadata=login_of(ann), timeout=SECONDS) for _ in range(3 * MAX_STREAMS)
    ]
    results = await asyncio.gather(*(watch.read() for watch in watches), return_exceptions=True)
    assert len([result for result in results if isinstance(result, aio.AioRpcError)]) == 2 * MAX_STREAMS
    busy.servicer.proceed.set()


async def test_ended_stream_frees_its_slot(busy):
    ann = str(uuid4())
    watches = [await open_watch(busy, ann) for _ in range(MAX_STREAMS)]
    watches[0].cancel()
    async with asyncio.timeout(SECONDS):
        while True:
            try:
                watches[0] = await open_watch(busy, ann)
                break
            except aio.AioRpcError:  # the cancellation had not yet reached the server
                await asyncio.sleep(0.01)
    assert (await refused_watch(busy, ann)).reason == "TOO_MANY_STREAMS"
    busy.servicer.proceed.set()
    for watch in watches:
        assert await watch.code() is grpc.StatusCode.OK
    await open_watch(busy, ann)


async def test_refused_stream_occupies_no_slot(busy):
    ann = str(uuid4())
    watches = [await open_watch(busy, ann) for _ in range(MAX_STREAMS)]
    for _ in range(10):
        assert (await refused_watch(busy, ann)).reason == "TOO_MANY_STREAMS"
    # If each refusal occupied a slot, all ten slots of the process would be gone.
    watches.append(await open_watch(busy, str(uuid4())))
    busy.servicer.proceed.set()
