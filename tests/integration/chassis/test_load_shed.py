"""A server with more calls than it takes: who is turned away, how, and who is not."""

import asyncio

import grpc
import pytest
from grpc import aio
from grpc_health.v1 import health_pb2
from taskmanager.trust.v1 import trust_service_pb2

from chassis.rpc.errors import details_of
from tests.integration.chassis.busy_server import CAPACITY, SECONDS, counted, running_busy_server
from tests.support.grpc_calls import bearer
from tests.support.grpc_server import GET_IMPORT, WATCH_IMPORT, service_metadata, user_metadata
from tests.support.waiting import until


@pytest.fixture
async def busy():
    async with running_busy_server() as busy:
        yield busy


async def test_excess_call_is_refused_with_a_retry_delay(busy):
    """A call over the limit is refused at once with a retry delay; the calls in flight are answered."""
    calls = await busy.fill()
    status = await busy.refused()
    assert (status.code, status.reason, status.retry_after) == (
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "OVERLOADED",
        1.0,
    )
    assert busy.servicer.begun == CAPACITY.calls
    busy.servicer.go_on.set()
    assert [(await call).id for call in calls] == ["answered"] * CAPACITY.calls
    assert (await busy.imports.GetImport(GET_IMPORT, metadata=user_metadata(), timeout=SECONDS)).id == "answered"


async def test_cancelled_call_frees_its_slot(busy):
    calls = await busy.fill()
    calls[0].cancel()
    busy.servicer.begun -= 1
    call = busy.imports.GetImport(GET_IMPORT, metadata=user_metadata(), wait_for_ready=True)
    async with asyncio.timeout(SECONDS):
        while busy.servicer.begun < CAPACITY.calls:
            if call.done():  # the server had not yet heard of the one that was given up
                call = busy.imports.GetImport(GET_IMPORT, metadata=user_metadata())
            await asyncio.sleep(0.01)
    busy.servicer.go_on.set()
    assert (await call).id == "answered"


async def test_streams_and_calls_have_separate_limits(busy):
    await busy.fill()
    watches = [busy.imports.WatchImport(WATCH_IMPORT, metadata=user_metadata()) for _ in range(CAPACITY.streams)]
    assert [(await watch.read()).id for watch in watches] == ["begun"] * CAPACITY.streams
    with pytest.raises(aio.AioRpcError) as caught:
        await busy.imports.WatchImport(WATCH_IMPORT, metadata=user_metadata(), timeout=SECONDS).read()
    assert details_of(caught.value).reason == "OVERLOADED"
    busy.servicer.go_on.set()


async def test_open_streams_occupy_no_call_slot(busy):
    watches = [busy.imports.WatchImport(WATCH_IMPORT, metadata=user_metadata()) for _ in range(CAPACITY.streams)]
    for watch in watches:
        await watch.read()
    busy.servicer.go_on.set()
    assert (await busy.imports.GetImport(GET_IMPORT, metadata=user_metadata(), timeout=SECONDS)).id == "answered"


async def test_health_and_internal_calls_are_never_shed(busy):
    """Health checks and calls that only services make are answered by a full server."""
    await busy.fill()
    answer = await busy.health.Check(health_pb2.HealthCheckRequest(), timeout=SECONDS)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING
    verifier = service_metadata("trust:read")
    request = trust_service_pb2.GetTrustStateRequest()
    assert (await busy.trust.GetTrustState(request, metadata=verifier, timeout=SECONDS)).next_cursor == "answered"


async def test_health_watches_have_their_own_limit(busy):
    """Anybody may watch health: such streams have a limit of their own and occupy no other slot."""
    request = health_pb2.HealthCheckRequest()
    watches = [busy.health.Watch(request) for _ in range(CAPACITY.streams)]
    for watch in watches:
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
    with pytest.raises(aio.AioRpcError) as caught:
        await busy.health.Watch(request, timeout=SECONDS).read()
    assert details_of(caught.value).reason == "OVERLOADED"
    assert (await busy.imports.WatchImport(WATCH_IMPORT, metadata=user_metadata()).read()).id == "begun"
    assert (await busy.health.Check(request, timeout=SECONDS)).status == health_pb2.HealthCheckResponse.SERVING
    busy.servicer.go_on.set()


async def test_shedding_precedes_authentication_and_is_counted(busy):
    method = "/taskmanager.imports.v1.ImportService/GetImport"
    before = counted("grpc_server_handled_total", method=method, code="RESOURCE_EXHAUSTED")
    shed = counted("grpc_server_shed_total", kind="call")
    await busy.fill()
    assert (await busy.refused(bearer("nonsense"))).reason == "OVERLOADED"
    assert counted("grpc_server_handled_total", method=method, code="RESOURCE_EXHAUSTED") == before + 1
    assert counted("grpc_server_shed_total", kind="call") == shed + 1


async def test_grpc_limit_is_ten_times_the_shedding_limit():
    async with running_busy_server() as busy:
        busy.servicer.trust.clear()
        request, verifier = trust_service_pb2.GetTrustStateRequest(), service_metadata("trust:read")
        most = 10 * (CAPACITY.calls + CAPACITY.streams)
        calls = [busy.trust.GetTrustState(request, metadata=verifier) for _ in range(most)]
        await until(lambda: busy.servicer.begun == most)
        status = await busy.refused()
        assert (status.code, status.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "RESOURCE_EXHAUSTED")
        busy.servicer.trust.set()
        await asyncio.gather(*calls)
