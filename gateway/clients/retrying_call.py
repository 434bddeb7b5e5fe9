"""Unary call with one more attempt, for which another server may be there."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import grpc
from grpc import aio

from chassis.rpc.call_metrics import CallMetrics
from chassis.rpc.errors import read_status
from chassis.rpc.tracing import client_span
from chassis.tracing.spans import trace_metadata
from gateway.clients.retry_budget import RetryBudget

RECONNECT_SECONDS = 2.0
"""Maximum wait for a connection before the second attempt. Without it, an outage would hold every request."""

# A server that ends while it handles a call. A call that this gateway cancels raises CancelledError instead.
_LOST = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED})


class RetryingCall:
    """Callable of a unary rpc that repeats a call once, if that is safe.

    A call is repeated if the server refused it before any work: it has no trust state yet, or is overloaded and the
    budget allows it. A call that got lost is repeated only if it is `repeatable`, as a read is, and a write with an
    idempotency key.
    """

    def __init__(
        self,
        call: aio.UnaryUnaryMultiCallable[Any, Any],
        *,
        method: str,
        connected: Callable[[], Awaitable[None]],
        timeout_seconds: float,
        budget: RetryBudget,
        metrics: CallMetrics,
    ) -> None:
        """`budget` is shared by all calls to the service."""
        self._call = call
        self._metrics = metrics
        self._method = method
        self._connected = connected
        self.timeout_seconds = timeout_seconds
        self._budget = budget

    async def __call__(
        self, request: Any, metadata: tuple[tuple[str, str], ...], *, is_repeatable: bool
    ) -> tuple[Any, aio.Call]:
        """Return the response and its call. All attempts together take no longer than the timeout.

        Raises:
            AioRpcError: the error of the last attempt.

        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.timeout_seconds
        try:
            response = await self._attempt(request, metadata, self.timeout_seconds)
        except aio.AioRpcError as error:
            if not self._may_repeat(error, is_repeatable=is_repeatable):
                raise
            await self._wait_for_connection(deadline - loop.time())
            remaining_seconds = deadline - loop.time()
            if remaining_seconds <= 0:
                raise
        else:
            self._budget.record_success()
            return response
        return await self._attempt(request, metadata, remaining_seconds)

    async def _attempt(
        self, request: Any, metadata: tuple[tuple[str, str], ...], timeout_seconds: float
    ) -> tuple[Any, aio.Call]:
        started = self._metrics.record_start()
        code = grpc.StatusCode.CANCELLED
        try:
            with client_span(self._method):
                pairs = aio.Metadata(*metadata, *trace_metadata())  # gRPC takes longer to convert a tuple
                call = self._call(request, metadata=pairs, timeout=timeout_seconds)
                response = await call
            code = grpc.StatusCode.OK
        except aio.AioRpcError as error:
            code = error.code()
            raise
        finally:
            self._metrics.record_end(started, code)
        return response, call

    def _may_repeat(self, error: aio.AioRpcError, *, is_repeatable: bool) -> bool:
        status = read_status(error)
        if status.code is grpc.StatusCode.RESOURCE_EXHAUSTED:
            return status.is_retryable_elsewhere and self._budget.take()
        # A service that is unavailable names a delay: its database is down, for all its replicas.
        is_lost = status.code in _LOST and status.retry_after_seconds is None
        return status.is_retryable_elsewhere or (is_repeatable and is_lost)

    async def _wait_for_connection(self, max_seconds: float) -> None:
        """In a rolling restart, the old server is gone a moment before the channel has connected to the new one."""
        with suppress(TimeoutError):
            async with asyncio.timeout(min(max_seconds, RECONNECT_SECONDS)):
                await self._connected()
