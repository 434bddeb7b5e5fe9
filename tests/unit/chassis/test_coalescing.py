"""Calls wait for each other shortly, and go on together."""

import asyncio
from itertools import groupby

import pytest
from taskmanager.imports.v1 import import_service_pb2

from chassis.kernel import coalescing
from chassis.kernel.coalescing import QUIET_TURNS, CoalescingPoint, is_call_waiting
from chassis.rpc.coalescing import CoalescingInterceptor

SERVICE = import_service_pb2.DESCRIPTOR.services_by_name["ImportService"]
METHOD = f"/{SERVICE.full_name}/GetImport"
UPLOAD = f"/{SERVICE.full_name}/UploadImport"


async def pass_turns(number: int) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


@pytest.fixture
def patient(monkeypatch):
    """Let only the number of turns end a wait, on however slow a machine."""
    monkeypatch.setattr(coalescing, "MAX_SECONDS", 60.0)


@pytest.mark.usefixtures("patient")
async def test_arrivals_go_on_together_after_quiet_turns():
    """Each arrival begins the count of quiet turns again."""
    point = CoalescingPoint()
    arrivals = []
    for _ in range(5):
        arrivals.append(point.wait())
        await pass_turns(QUIET_TURNS // 2)
    assert not any(arrival.done() for arrival in arrivals)
    assert is_call_waiting()
    await pass_turns(QUIET_TURNS)
    assert all(arrival.done() for arrival in arrivals)
    assert not is_call_waiting()


async def test_wait_ends_although_others_arrive(monkeypatch):
    monkeypatch.setattr(coalescing, "MAX_SECONDS", 0.0)
    point = CoalescingPoint()
    first = point.wait()
    for _ in range(2):
        point.wait()
        await pass_turns(1)
    assert first.done()


@pytest.mark.usefixtures("patient")
async def test_cancelled_arrival_holds_up_nobody():
    point = CoalescingPoint()
    cancelled, other = point.wait(), point.wait()
    cancelled.cancel()
    await other
    await point.wait()  # the point is used again


@pytest.mark.usefixtures("patient")
async def test_concurrent_calls_begin_together():
    """The first begins at once, because it is alone. Those that arrive while it runs wait for each other."""
    begun: list[str] = []
    end = asyncio.Event()

    async def handle(name: str, _: object) -> None:
        begun.append(name)
        await end.wait()

    interceptor = CoalescingInterceptor([SERVICE])
    calls = []
    for name in ("first", "second", "third"):
        calls.append(asyncio.ensure_future(interceptor.intercept(handle, name, None, METHOD)))
        await pass_turns(3)
    assert begun == ["first"]
    await pass_turns(QUIET_TURNS)
    assert begun == ["first", "second", "third"]
    end.set()
    await asyncio.gather(*calls)


@pytest.mark.usefixtures("patient")
async def test_concurrent_calls_end_together():
    """Their handlers take different numbers of turns, and no response is sent before all of them are ready."""
    steps: list[str] = []

    async def handle(turns: int, _: object) -> int:
        steps.append("begun")
        await pass_turns(turns)
        steps.append("ready")
        return turns

    async def call(turns: int) -> int:
        response = await interceptor.intercept(handle, turns, None, METHOD)
        steps.append("sent")
        return response

    interceptor = CoalescingInterceptor([SERVICE])
    assert await asyncio.gather(*map(call, [9, 1, 5])) == [9, 1, 5]
    assert [step for step, _ in groupby(steps)][-2:] == ["ready", "sent"]
    assert steps[-3:] == ["sent"] * 3


async def test_call_alone_does_not_wait():
    """It passes without a turn of the event loop, also after a call has failed, and while an upload is in progress."""

    async def handle(response: object, _: object) -> object:
        if response is None:
            raise ValueError
        return response

    async def receive_upload(_: object, __: object) -> None:
        await asyncio.Event().wait()

    interceptor = CoalescingInterceptor([SERVICE])
    upload = interceptor.intercept(receive_upload, None, None, UPLOAD)
    upload.send(None)
    with pytest.raises(ValueError):  # noqa: PT011 - the handler's
        interceptor.intercept(handle, None, None, METHOD).send(None)
    with pytest.raises(StopIteration) as end:
        interceptor.intercept(handle, "response", None, METHOD).send(None)
    assert end.value.value == "response"
    upload.close()
