"""A server with more calls than it takes: who is turned away, how, and who is not."""

import asyncio

import grpc
import pytest
from grpc import aio
from grpc_health.v1 import health_pb2
from taskmanager.trust.v1 import trust_service_pb2

from chassis.rpc.errors import read_status
from tests.integration.auth_service.door import until
from tests.integration.chassis.busy_server import CAPACITY, SECONDS, counted, running
from tests.small_server import GET, WATCH, bearer, person, service


@pytest.fixture
async def busy():
    async with running() as busy:
        yield busy


async def test_a_call_too_many_is_told_at_once_when_to_come_back_and_the_others_are_answered(busy):
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
    assert (await busy.imports.GetImport(GET, metadata=person(), timeout=SECONDS)).id == "answered"


async def test_a_call_that_was_given_up_makes_room(busy):
    calls = await busy.fill()
    calls[0].cancel()
    busy.servicer.begun -= 1
    call = busy.imports.GetImport(GET, metadata=person(), wait_for_ready=True)
    async with asyncio.timeout(SECONDS):
        while busy.servicer.begun < CAPACITY.calls:
            if call.done():  # the server had not yet heard of the one that was given up
                call = busy.imports.GetImport(GET, metadata=person())
            await asyncio.sleep(0.01)
    busy.servicer.go_on.set()
    assert (await call).id == "answered"


async def test_streams_are_counted_apart_from_calls(busy):
    await busy.fill()
    watches = [busy.imports.WatchImport(WATCH, metadata=person()) for _ in range(CAPACITY.streams)]
    assert [(await watch.read()).id for watch in watches] == ["begun"] * CAPACITY.streams
    with pytest.raises(aio.AioRpcError) as caught:
        await busy.imports.WatchImport(WATCH, metadata=person(), timeout=SECONDS).read()
    assert read_status(caught.value).reason == "OVERLOADED"
    busy.servicer.go_on.set()


async def test_open_streams_take_no_calls_place(busy):
    watches = [busy.imports.WatchImport(WATCH, metadata=person()) for _ in range(CAPACITY.streams)]
    for watch in watches:
        await watch.read()
    busy.servicer.go_on.set()
    assert (await busy.imports.GetImport(GET, metadata=person(), timeout=SECONDS)).id == "answered"


async def test_health_and_what_only_services_call_is_answered_all_the_same(busy):
    await busy.fill()
    answer = await busy.health.Check(health_pb2.HealthCheckRequest(), timeout=SECONDS)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING
    verifier = service("trust:read")
    request = trust_service_pb2.GetTrustStateRequest()
    assert (await busy.trust.GetTrustState(request, metadata=verifier, timeout=SECONDS)).next_cursor == "answered"


async def test_watches_of_health_which_anybody_may_open_take_nobodys_place_and_are_limited(busy):
    request = health_pb2.HealthCheckRequest()
    watches = [busy.health.Watch(request) for _ in range(CAPACITY.streams)]
    for watch in watches:
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
    with pytest.raises(aio.AioRpcError) as caught:
        await busy.health.Watch(request, timeout=SECONDS).read()
    assert read_status(caught.value).reason == "OVERLOADED"
    assert (await busy.imports.WatchImport(WATCH, metadata=person()).read()).id == "begun"
    assert (await busy.health.Check(request, timeout=SECONDS)).status == health_pb2.HealthCheckResponse.SERVING
    busy.servicer.go_on.set()


async def test_a_refusal_comes_before_the_token_is_looked_at_and_is_counted(busy):
    method = "/taskmanager.imports.v1.ImportService/GetImport"
    before = counted("grpc_server_handled_total", method=method, code="RESOURCE_EXHAUSTED")
    shed = counted("grpc_server_shed_total", kind="call")
    await busy.fill()
    assert (await busy.refused(bearer("nonsense"))).reason == "OVERLOADED"
    assert counted("grpc_server_handled_total", method=method, code="RESOURCE_EXHAUSTED") == before + 1
    assert counted("grpc_server_shed_total", kind="call") == shed + 1


async def test_behind_it_stands_grpcs_own_limit_at_ten_times_as_much():
    async with running() as busy:
        busy.servicer.trust.clear()
        request, verifier = trust_service_pb2.GetTrustStateRequest(), service("trust:read")
        most = 10 * (CAPACITY.calls + CAPACITY.streams)
        calls = [busy.trust.GetTrustState(request, metadata=verifier) for _ in range(most)]
        await until(lambda: busy.servicer.begun == most)
        status = await busy.refused()
        assert (status.code, status.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "RESOURCE_EXHAUSTED")
        busy.servicer.trust.set()
        await asyncio.gather(*calls)
