"""Periodic work: pauses, wake-ups and failures."""

import asyncio

import psycopg
import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from chassis.kernel.errors import Unavailable
from chassis.periodic import MAX_RETRY_SECONDS, LoopMonitor, run_periodically


async def test_wake_up_repeats_work_also_after_an_outage():
    wake, outages = asyncio.Event(), [True, False, True]
    runs: list[bool] = []

    async def work() -> None:
        runs.append(outages[len(runs)])
        if len(runs) == len(outages):
            raise LookupError
        wake.set()
        if runs[-1]:
            raise Unavailable

    async with asyncio.timeout(10):
        with pytest.raises(LookupError):
            await run_periodically(work, interval=3600, wake=wake)
    assert runs == outages


async def test_work_repeats_after_its_interval():
    done = 0

    async def work() -> None:
        nonlocal done
        done += 1
        if done == 3:
            raise LookupError

    async with asyncio.timeout(10):
        with pytest.raises(LookupError):
            await run_periodically(work, interval=0.001)


class FailingWork:
    """Work that fails with one error after the other, then succeeds twice and ends its loop."""

    def __init__(self, wake: asyncio.Event, *errors: Exception) -> None:
        self._results = iter((*errors, None, None, LookupError()))
        self._wake = wake

    async def __call__(self) -> None:
        self._wake.set()
        if error := next(self._results):
            raise error


@pytest.mark.parametrize(
    ("error", "has_traceback"), [(Unavailable(), False), (psycopg.errors.UndefinedTable("no such table"), True)]
)
async def test_database_errors_are_logged_once(error, has_traceback):
    """An error of the database does not end a loop. Its first occurrence and its end are logged."""
    wake, count = asyncio.Event(), "background_loop_failures_total"
    before = REGISTRY.get_sample_value(count, {"loop": "FailingWork"}) or 0
    with capture_logs() as lines:
        async with asyncio.timeout(10):
            with pytest.raises(LookupError):
                await run_periodically(FailingWork(wake, error, error, error), interval=3600, wake=wake)
    first, last = lines
    assert (first["log_level"], first["loop"], first["exc_info"] is not None) == (
        "warning",
        "FailingWork",
        has_traceback,
    )
    assert (last["log_level"], last["failed_runs"]) == ("info", 3)
    assert REGISTRY.get_sample_value(count, {"loop": "FailingWork"}) == before + 3
    assert REGISTRY.get_sample_value("background_loop_interval_seconds", {"loop": "FailingWork"}) == 3600


def test_pauses_between_failures_grow_to_a_maximum():
    monitor = LoopMonitor("test", interval=60)
    pauses = [monitor.record_failure(Unavailable()) for _ in range(6)]
    assert pauses == [1, 2, *[MAX_RETRY_SECONDS] * 4]
    monitor.record_success()
    assert monitor.record_failure(Unavailable()) == 1
