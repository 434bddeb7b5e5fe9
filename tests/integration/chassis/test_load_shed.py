"""Load shedding: which calls a full server refuses, how, and which it never refuses."""

import asyncio
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

import grpc
import pytest
from grpc import aio
from grpc_health.v1 import health_pb2
from taskmanager.imports.v1 import import_service_pb2
from taskmanager.trust.v1 import trust_service_pb2, trust_service_pb2_grpc

from tests.integration.chassis.busy_server import (
    CAPACITY,
    SECONDS,
    BusyServer,
    running_busy_server,
    separate_connection,
)
from tests.support.grpc_calls import refused
from tests.support.grpc_server import GET_IMPORT, WATCH_IMPORT, service_metadata, user_metadata
from tests.support.metrics import handled_calls, metric_value
from tests.support.waiting import until


@pytest.fixture
async def busy():
    async with running_busy_server() as busy:
        yield busy


async def test_excess_call_is_refused_with_a_retry_delay(busy):
    """A call over the limit is refused at once with a retry delay; the calls in flight complete."""
    calls = await busy.fill()
    status = await busy.refused_call()
    assert (status.code, status.reason, status.retry_after_seconds) == (
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "OVERLOADED",
        1.0,
    )
    assert busy.servicer.started == CAPACITY.max_concurrent_calls
    busy.servicer.proceed.set()
    assert [(await call).id for call in calls] == ["response"] * CAPACITY.max_concurrent_calls
    assert (await busy.imports.GetImport(GET_IMPORT, metadata=user_metadata(), timeout=SECONDS)).id == "response"


async def test_cancelled_call_frees_its_slot(busy):
    calls = await busy.fill()
    calls[0].cancel()
    busy.servicer.started -= 1
    call = busy.imports.GetImport(GET_IMPORT, metadata=user_metadata(), wait_for_ready=True)
    async with asyncio.timeout(SECONDS):
        while busy.servicer.started < CAPACITY.max_concurrent_calls:
            if call.done():  # the cancellation had not yet reached the server
                call = busy.imports.GetImport(GET_IMPORT, metadata=user_metadata())
            await asyncio.sleep(0.01)
    busy.servicer.proceed.set()
    assert (await call).id == "response"


async def test_streams_and_calls_have_separate_limits(busy):
    await busy.fill()
    watches = [
        busy.imports.WatchImport(WATCH_IMPORT, metadata=user_metadata()) for _ in range(CAPACITY.max_concurrent_streams)
    ]
    assert [(await watch.read()).id for watch in watches] == ["started"] * CAPACITY.max_concurrent_streams
    excess = busy.imports.WatchImport(WATCH_IMPORT, metadata=user_metadata(), timeout=SECONDS)
    assert (await refused(excess.read())).reason == "OVERLOADED"
    busy.servicer.proceed.set()


async def test_every_kind_of_call_is_refused_before_any_work(busy):
    """Each refusal has a retry delay and says that nothing was done, so that any caller may repeat the call."""
    await busy.fill()
    upload_ends = asyncio.Event()

    async def upload():
        yield import_service_pb2.UploadImportRequest()
        await upload_ends.wait()

    streams = [busy.imports.WatchImport(WATCH_IMPORT, metadata=user_metadata()) for _ in range(2)]
    for stream in streams:
        await stream.read()
    started = busy.servicer.started
    statuses = [
        await busy.refused_call(),
        await refused(busy.imports.WatchImport(WATCH_IMPORT, metadata=user_metadata(), timeout=SECONDS).read()),
        await refused(busy.imports.UploadImport(upload(), metadata=user_metadata(), timeout=SECONDS)),
    ]
    assert [(each.reason, each.retry_after_seconds, each.is_retryable_elsewhere) for each in statuses] == [
        ("OVERLOADED", 1.0, True)
    ] * 3
    assert busy.servicer.started == started
    upload_ends.set()
    busy.servicer.proceed.set()


async def test_open_streams_occupy_no_call_slot(busy):
    watches = [
        busy.imports.WatchImport(WATCH_IMPORT, metadata=user_metadata()) for _ in range(CAPACITY.max_concurrent_streams)
    ]
    for watch in watches:
        await watch.read()
    busy.servicer.proceed.set()
    assert (await busy.imports.GetImport(GET_IMPORT, metadata=user_metadata(), timeout=SECONDS)).id == "response"


async def test_health_and_internal_calls_are_never_shed(busy):
    """Health checks and calls that only services make are handled by a full server."""
    await busy.fill()
    response = await busy.health.Check(health_pb2.HealthCheckRequest(), timeout=SECONDS)
    assert response.status == health_pb2.HealthCheckResponse.SERVING
    verifier = service_metadata("trust:read")
    request = trust_service_pb2.GetTrustStateRequest()
    assert (await busy.trust.GetTrustState(request, metadata=verifier, timeout=SECONDS)).next_cursor == "response"


async def test_health_watches_have_their_own_limit(busy):
    """Anybody may watch health: such streams have a limit of their own and occupy no other slot."""
    request = health_pb2.HealthCheckRequest()
    watches = [busy.health.Watch(request) for _ in range(CAPACITY.max_concurrent_streams)]
    for watch in watches:
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
    assert (await refused(busy.health.Watch(request, timeout=SECONDS).read())).reason == "OVERLOADED"
    assert (await busy.imports.WatchImport(WATCH_IMPORT, metadata=user_metadata()).read()).id == "started"
    assert (await busy.health.Check(request, timeout=SECONDS)).status == health_pb2.HealthCheckResponse.SERVING
    busy.servicer.proceed.set()


async def test_refused_call_is_counted(busy):
    method = "/taskmanager.imports.v1.ImportService/GetImport"
    before = handled_calls(method, "ResourceExhausted")
    shed = metric_value("grpc_server_shed_total", kind="call")
    await busy.fill()
    assert (await busy.refused_call()).reason == "OVERLOADED"
    # The server counts a call after it has sent the status.
    await until(lambda: handled_calls(method, "ResourceExhausted") == before + 1)
    assert metric_value("grpc_server_shed_total", kind="call") == shed + 1


def has_started(busy: BusyServer, count: int) -> bool:
    return busy.servicer.started == count


async def test_grpc_limit_is_ten_times_the_shedding_limit():
    async with running_busy_server() as busy, AsyncExitStack() as stack:
        busy.servicer.trust.clear()
        request, verifier = trust_service_pb2.GetTrustStateRequest(), service_metadata("trust:read")
        call_count = 10 * (CAPACITY.max_concurrent_calls + CAPACITY.max_concurrent_streams)
        calls: list[aio.UnaryUnaryCall[Any, Any]] = []
        while len(calls) < call_count:
            channel = await stack.enter_async_context(separate_connection(busy.target))
            stub = trust_service_pb2_grpc.TrustServiceStub(channel)
            size = min(CAPACITY.max_calls_per_connection, call_count - len(calls))
            calls += [stub.GetTrustState(request, metadata=verifier) for _ in range(size)]
            await until(partial(has_started, busy, len(calls)))
        status = await busy.refused_call()
        assert (status.code, status.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "RESOURCE_EXHAUSTED")
        busy.servicer.trust.set()
        await asyncio.gather(*calls)
