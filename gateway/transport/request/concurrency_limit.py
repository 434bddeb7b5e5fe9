"""Limits of concurrent requests and streams. Those above a limit are shed: refused with a 503 that costs little."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager

import prometheus_client

from chassis.kernel.fair_limit import FairLimiter, NoFreeSlot
from chassis.kernel.holder_counts import HolderCounts
from chassis.limits.active_limit import ActiveLimiter
from gateway.transport.asgi import header_values
from gateway.transport.errors import http_errors

SHED_REQUESTS = prometheus_client.Counter("http_requests_shed", "Requests refused because of overload", ["kind"])

MAX_ACTIVE_SECONDS = 0.5
"""Time for which a slow request keeps others of its caller from starting."""

CallerKey = bytes
"""Credentials of a request. Requests without any, such as logins, count as one caller."""


def caller_key(headers: Sequence[tuple[bytes, bytes]]) -> CallerKey:
    """Return the key of the caller, who has not been authenticated yet.

    It is the Authorization header without the scheme. Services ignore the case of the scheme and the number of spaces
    after it, so each spelling would be another caller.
    """
    values = header_values(headers, b"authorization")
    return values[0].strip().rpartition(b" ")[2] if values else b""


class ConcurrencyLimit:
    """Limit of concurrent requests with a short queue. One caller may have half. Callers that wait take turns.

    Only a few requests of a caller are active. Its others wait for them and hold no slot. With fifty connections a
    caller gets hardly more done than with four, but a request of another caller would wait for each of the fifty.
    Requests that wait so do not count against a caller with few requests. Otherwise two callers could shut out all
    others.

    A request holds its slot while services work on it: from the end of its body to the response of the service. Slow
    clients therefore hold none. A client that disconnects frees the slot of a read at once, and that of a write when
    the work for it has ended.

    A request enters twice. At its head, `admit` refuses it before anything else is done for it. That is cheap, but only
    an estimate, because the body may still arrive. `slot` decides.
    """

    def __init__(
        self, *, max_concurrent: int, max_queued: int, queue_timeout_seconds: float, max_active_per_caller: int
    ) -> None:
        max_concurrent_per_caller = _half(max_concurrent)
        self._slots = FairLimiter(max_total=max_concurrent, max_per_key=max_concurrent_per_caller)
        self._max_active_per_caller = max_active_per_caller
        self._active = ActiveLimiter(
            max_active=max_active_per_caller,
            max_active_seconds=MAX_ACTIVE_SECONDS,
            max_active_alone=2 * max_active_per_caller,
        )
        self._max_total = max_concurrent + max_queued
        self._max_per_caller = max_concurrent_per_caller + _half(max_queued)
        self._queue_timeout_seconds = queue_timeout_seconds
        self._shed = SHED_REQUESTS.labels("request")
        # Requests that are active, hold a slot or wait for either.
        self._entered = HolderCounts[CallerKey]()
        # Requests whose tasks have not run yet. They run in the next turn of the event loop, in which they enter.
        self._starting: Counter[CallerKey] = Counter()

    def admit(self, caller: CallerKey) -> bool:
        """Return True if a request with this head may start; otherwise count it as shed."""
        entered = self._entered[caller] + self._starting.get(caller, 0)
        if self._is_full(entered, self._entered.total + self._starting.total()):
            self._shed.inc()
            return False
        if not self._starting:
            # It runs before the tasks of the admitted requests, and no head is parsed between it and them.
            asyncio.get_running_loop().call_soon(self._starting.clear)
        self._starting[caller] += 1
        return True

    @asynccontextmanager
    async def slot(self, caller: CallerKey, endpoint: object = None) -> AsyncIterator[None]:
        """Hold a slot during the context. Raise HttpError if the queue is full, or the wait for a slot too long.

        Requests without credentials come from many users. They wait only for others of their endpoint, so that a
        refresh of a token does not wait for logins, which take long.
        """
        self._enter(caller)
        try:
            with await self._active.start(caller or endpoint):
                async with self._slots.slot(caller, timeout_seconds=self._queue_timeout_seconds):
                    yield
        except NoFreeSlot:
            raise self._overloaded() from None
        finally:
            self._entered.remove(caller)

    def _enter(self, caller: CallerKey) -> None:
        if self._is_full(self._entered[caller], self._entered.total):
            raise self._overloaded()
        self._entered.add(caller)

    def _is_full(self, entered: int, total: int) -> bool:
        """Return True if no request may enter whose caller has entered `entered` ones of the `total`."""
        if entered < self._max_active_per_caller:
            total -= self._active.waiting
        return total >= self._max_total or entered >= self._max_per_caller

    def _overloaded(self) -> http_errors.HttpError:
        self._shed.inc()
        return http_errors.overloaded()


class StreamLimit:
    """Limit of concurrent streams, of which one caller may have half. None waits for another, because they are long."""

    def __init__(self, *, max_concurrent: int) -> None:
        self._max_total = max_concurrent
        self._max_per_caller = _half(max_concurrent)
        self._open = HolderCounts[CallerKey]()
        self._shed = SHED_REQUESTS.labels("stream")

    @contextmanager
    def slot(self, caller: CallerKey) -> Iterator[None]:
        """Hold a slot during the context. Raise HttpError if there is none."""
        if self._open.total >= self._max_total or self._open[caller] >= self._max_per_caller:
            self._shed.inc()
            raise http_errors.overloaded()
        self._open.add(caller)
        try:
            yield
        finally:
            self._open.remove(caller)


def _half(number: int) -> int:
    """Return the share of one caller."""
    return (number + 1) // 2
