"""Channels to other services: deadlines, request id, traces, retries and message sizes."""

import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import grpc
from grpc import aio

from chassis.rpc.call_metrics import CallMetrics
from chassis.rpc.request_context import REQUEST_ID_KEY, request_id, time_remaining
from chassis.rpc.tracing import client_span, record_client_status
from chassis.tls.reloader import CertificateReloader
from chassis.tls.reloading_channel import ReloadingChannel
from chassis.tracing.spans import trace_metadata

DEFAULT_TIMEOUT_SECONDS = 30.0
"""Timeout of a unary call without a deadline. A stream without a deadline may stay open."""

MAX_RESPONSE_BYTES = 16 * 1024 * 1024
"""Maximum bytes of a response on our own channels. gRPC's default is 4 MiB.

Pages of lists are far smaller (chassis.rpc.pagination). The response to a batch can't be split: its changes are
committed. The largest has 100 tasks. Each has a title of 500 characters, a description of 20,000, 50 labels of 64 and
an external id of 200. A character has up to 4 bytes, and the other fields have less than 1 KiB. The sum is
100 x (4 x 23,900 + 1,024) = 9.7 MB.
"""


def timeout_for(requested: float | None, *, is_streaming: bool) -> float | None:
    """Return the timeout of a call in seconds.

    It is the shorter of the timeout that the call asks for and the time that is left for the request being served.
    Without either it is the default for a unary call; a stream then has none.
    """
    timeouts = [timeout for timeout in (requested, time_remaining()) if timeout is not None]
    if not timeouts:
        return None if is_streaming else DEFAULT_TIMEOUT_SECONDS
    return max(min(timeouts), 0.0)


def with_request_id(metadata: Any) -> list[tuple[str, str | bytes]]:
    """Return the metadata with the id of the request being served, if there is one."""
    pairs = list(metadata or ())
    current_id = request_id()
    if current_id and not any(key == REQUEST_ID_KEY for key, _ in pairs):
        pairs.append((REQUEST_ID_KEY, current_id))
    return pairs


def channel_options(idempotent: Sequence[str] = ()) -> list[tuple[str, Any]]:
    """Return the options of every channel.

    gRPC itself retries the `idempotent` methods ("package.Service/Method") if a server is unavailable. Other methods
    are not safe to repeat.
    """
    config: dict[str, Any] = {
        "loadBalancingConfig": [{"round_robin": {}}],
        # The channel watches the health of each server and leaves one that is starting or stopping.
        "healthCheckConfig": {"serviceName": ""},
    }
    names = [dict(zip(("service", "method"), method.split("/"), strict=True)) for method in idempotent]
    if names:
        retry = {
            "maxAttempts": 4,
            "initialBackoff": "0.1s",
            "maxBackoff": "1s",
            "backoffMultiplier": 2,
            "retryableStatusCodes": ["UNAVAILABLE"],
        }
        config["methodConfig"] = [{"name": names, "retryPolicy": retry}]
        # While more than every tenth call fails, gRPC retries none: retries would hinder the recovery.
        config["retryThrottling"] = {"maxTokens": 100, "tokenRatio": 0.1}
    return [
        ("grpc.service_config", json.dumps(config)),
        ("grpc.enable_retries", 1),
        ("grpc.max_receive_message_length", MAX_RESPONSE_BYTES),
        # A server that hangs leaves the balance within four seconds, and its calls fail. The watch of its health is a
        # call, so that pings are sent while there is no other. By default gRPC sends only two without data. gRPC 1.85
        # ends a connection after the ping timeout, by default 60 s, and not after the keepalive timeout.
        ("grpc.keepalive_time_ms", 2_000),
        ("grpc.keepalive_timeout_ms", 2_000),
        ("grpc.http2.ping_timeout_ms", 2_000),
        ("grpc.keepalive_permit_without_calls", 0),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 1_000),
    ]


class _PropagateUnaryUnary(aio.UnaryUnaryClientInterceptor):  # grpc-interceptor has no client side for asyncio
    def __init__(self) -> None:
        self._metrics: dict[str, CallMetrics] = {}

    async def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        method = client_call_details.method
        path = method.decode() if isinstance(method, bytes) else method
        metrics = self._metrics_of(path)
        started = metrics.record_start()
        code = grpc.StatusCode.CANCELLED
        try:
            with client_span(path) as span:
                call = await continuation(_propagate(client_call_details, is_streaming=False), request)
                # Awaiting the call itself, and not only its code, cancels it if this task is cancelled.
                with suppress(aio.AioRpcError):
                    await call
                code = await call.code()
                record_client_status(span, code)
        finally:
            metrics.record_end(started, code)
        return call

    def _metrics_of(self, path: str) -> CallMetrics:
        if path not in self._metrics:
            self._metrics[path] = CallMetrics.of_client(path)
        return self._metrics[path]


class _PropagateUnaryStream(aio.UnaryStreamClientInterceptor):
    async def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return await continuation(_propagate(client_call_details, is_streaming=True), request)


class _PropagateStreamUnary(aio.StreamUnaryClientInterceptor):
    async def intercept_stream_unary(self, continuation: Any, client_call_details: Any, request_iterator: Any) -> Any:
        return await continuation(_propagate(client_call_details, is_streaming=True), request_iterator)


class _PropagateStreamStream(aio.StreamStreamClientInterceptor):
    async def intercept_stream_stream(self, continuation: Any, client_call_details: Any, request_iterator: Any) -> Any:
        return await continuation(_propagate(client_call_details, is_streaming=True), request_iterator)


def _propagate(details: Any, *, is_streaming: bool) -> Any:
    """Return the details of a call with the request id, the trace and the deadline of the request being served."""
    return details._replace(
        timeout=timeout_for(details.timeout, is_streaming=is_streaming),
        metadata=aio.Metadata(*with_request_id(details.metadata), *trace_metadata()),
    )


# One class for each kind of call: a channel registers an interceptor for one kind only.
_INTERCEPTORS = (_PropagateUnaryUnary, _PropagateUnaryStream, _PropagateStreamUnary, _PropagateStreamStream)


def open_channel(
    target: str, *, certificates: CertificateReloader | None = None, idempotent: Sequence[str] = ()
) -> aio.Channel:
    """Return a channel whose calls carry the deadline, the id and the trace of the request being served."""
    interceptors = [interceptor() for interceptor in _INTERCEPTORS]
    return plain_channel(target, certificates=certificates, idempotent=idempotent, interceptors=interceptors)


def plain_channel(
    target: str,
    *,
    certificates: CertificateReloader | None = None,
    idempotent: Sequence[str] = (),
    interceptors: Sequence[aio.ClientInterceptor] = (),
) -> aio.Channel:
    """Return a channel that adds nothing to its calls. It is unencrypted without certificates."""
    options = channel_options(idempotent)
    if certificates is None:
        return aio.insecure_channel(target, options=options, interceptors=interceptors)
    return ReloadingChannel(
        certificates,
        lambda credentials: aio.secure_channel(target, credentials, options=options, interceptors=interceptors),
    )
