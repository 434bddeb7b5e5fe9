"""Repeated calls of one query, one at a time."""

import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import grpc

from chassis.rpc.errors import read_status

_MIN_CALLS = 3
_MAX_CALLS = 25
_SLOW_SECONDS = 1.0
_VERY_SLOW_SECONDS = 2.0


@dataclass(frozen=True)
class Response:
    """Number of items in a response, and True if a next page token says that there may be more."""

    items: int
    has_more: bool = False


Call = Callable[[], Awaitable[Response]]


@dataclass(frozen=True)
class Measurement:
    """Durations of successful or of refused calls in seconds."""

    durations: tuple[float, ...]
    response: Response | None
    refusal: str = ""
    """Reason of the error, for example QUERY_TOO_EXPENSIVE."""

    @property
    def median_ms(self) -> float:
        return statistics.median(self.durations) * 1000

    @property
    def p95_ms(self) -> float:
        """95th percentile; the maximum of fewer than twenty calls."""
        if len(self.durations) < 20:
            return max(self.durations) * 1000
        return statistics.quantiles(self.durations, n=20)[-1] * 1000

    @property
    def result(self) -> str:
        """Text of the response: the number of items, with a plus sign if there may be more, or the refusal."""
        if self.response is None:
            return self.refusal
        return f"{self.response.items}{'+' if self.response.has_more else ''}"


async def measure(call: Call, *, seconds: float, max_calls: int = _MAX_CALLS) -> Measurement:
    """Call for about a number of seconds, at least three times and at most `max_calls` times, after a warm-up call.

    A refusal is a result like any other. A call that takes a second needs no warm-up and is made twice, and one that
    takes two seconds once.
    """
    first, response, refusal = await _time(call)
    durations = [first] if first > _SLOW_SECONDS else []
    least = _MIN_CALLS if not durations else 2 if first < _VERY_SLOW_SECONDS else 1
    end = time.perf_counter() + (seconds if not durations else 0)
    while len(durations) < least or (time.perf_counter() < end and len(durations) < max_calls):
        duration, response, refusal = await _time(call)
        durations.append(duration)
    return Measurement(tuple(durations), response, refusal)


async def _time(call: Call) -> tuple[float, Response | None, str]:
    began = time.perf_counter()
    try:
        response = await call()
    except grpc.aio.AioRpcError as error:
        duration = time.perf_counter() - began
        status = read_status(error)
        reasons = [violation.reason for violation in status.violations if violation.reason]
        return duration, None, (reasons or [status.reason])[0]
    return time.perf_counter() - began, response, ""
