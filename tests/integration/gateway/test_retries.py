"""Repetition of unary calls: once, and only where it is safe."""

import grpc
import pytest
from taskmanager.tasks.v1 import task_pb2

from chassis.rpc.errors import RichStatus

UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED
NOT_STARTED = RichStatus(UNAVAILABLE, "No.", "NOT_READY", retry_after_seconds=1, is_retryable_elsewhere=True)
OVERLOADED = RichStatus(
    grpc.StatusCode.RESOURCE_EXHAUSTED, "No.", "OVERLOADED", retry_after_seconds=1, is_retryable_elsewhere=True
)
DATABASE_DOWN = RichStatus(UNAVAILABLE, "No.", "UNAVAILABLE", retry_after_seconds=1)

LOST = (UNAVAILABLE, grpc.StatusCode.CANCELLED)
"""Codes of a call whose server ends. gRPC makes the status itself, without details."""


def fail_once(services, name, error):
    """Let the first call fail and every later one succeed."""

    async def reply(_request, context):
        if len(services.requests[name]) > 1:
            return task_pb2.Task(id="t1")
        if isinstance(error, RichStatus):
            return await error.abort(context)
        return await context.abort(error, "gone")

    services.handlers[name] = reply


async def create(rest, **headers):
    response = await rest.post("/api/v1/tasks", json={"title": "x"}, headers=headers)
    return response.status_code


@pytest.mark.parametrize("code", LOST)
async def test_lost_write_with_a_key_is_repeated(rest, services, code):
    fail_once(services, "CreateTask", code)
    assert await create(rest, **{"Idempotency-Key": "k1"}) == 201
    first, second = services.requests["CreateTask"]
    assert first == second


@pytest.mark.parametrize("code", LOST)
async def test_lost_write_without_a_key_is_not_repeated(rest, services, code):
    """The service may have carried it out."""
    fail_once(services, "CreateTask", code)
    assert await create(rest) == 503
    assert len(services.requests["CreateTask"]) == 1


@pytest.mark.parametrize("status", [NOT_STARTED, OVERLOADED])
async def test_refused_write_is_repeated_without_a_key(rest, services, status):
    """The service says that it has done nothing."""
    fail_once(services, "CreateTask", status)
    assert await create(rest) == 201
    assert len(services.requests["CreateTask"]) == 2


async def test_write_during_an_outage_is_not_repeated(rest, services):
    """The database of all replicas is down. The client waits as long as the service says."""
    fail_once(services, "CreateTask", DATABASE_DOWN)
    assert await create(rest, **{"Idempotency-Key": "k1"}) == 503
    assert len(services.requests["CreateTask"]) == 1


async def test_lost_read_is_repeated(rest, services):
    fail_once(services, "GetTask", grpc.StatusCode.CANCELLED)
    assert (await rest.get("/api/v1/tasks/t1")).status_code == 200


async def test_call_is_repeated_only_once(rest, services):
    async def never_ready(_request, context):
        await NOT_STARTED.abort(context)

    services.handlers["CreateTask"] = never_ready
    assert await create(rest) == 503
    assert len(services.requests["CreateTask"]) == 2
