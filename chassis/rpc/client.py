"""Channels to other services: deadlines, request id, retries, and the service's own token."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import grpc
from grpc import aio
from grpc_interceptor import ClientCallDetails, ClientInterceptor

from chassis.tls.reloading_channel import ReloadingChannel
from chassis.tls.reloading_channel import RenewedChannel
from chassis.rpc.request_context import REQUEST_ID_KEY, request_id, time_remaining
from chassis.rpc.service_token import ThreadTokenSource
from chassis.tls.reloader import CertificateReloader

DEFAULT_TIMEOUT = 30.0
"""Seconds for a unary call that names no deadline. A stream without one may stay open."""

LARGEST_ANSWER = 16 * 1024 * 1024
"""Bytes of an answer that our own channels take, where gRPC's default is 4 MiB.

Lists are cut into pages far below that (chassis.rpc.pagination). The answer to a batch can't be: what it says is committed.
The largest is 100 tasks with a title of 500 characters, a description of 20,000, 50 labels of 64 and an external id of
200, each character up to 4 bytes, and less than 1 KiB of the rest: 100 x (4 x 23,900 + 1,024) = 9.7 MB.
"""

Metadata = tuple[tuple[str, str | bytes], ...]


def timeout_for(asked: float | None, *, streams: bool) -> float | None:
    """The shortest of what the call asks for, what the request being served has left, and the default."""
    limits = [limit for limit in (asked, time_remaining()) if limit is not None]
    if not limits:
        return None if streams else DEFAULT_TIMEOUT
    return max(min(limits), 0.0)


def with_request_id(metadata: Any) -> list[tuple[str, str | bytes]]:
    """The metadata and, inside a request, its id."""
    pairs = list(metadata or ())
    current = request_id()
    if current and not any(key == REQUEST_ID_KEY for key, _ in pairs):
        pairs.append((REQUEST_ID_KEY, current))
    return pairs


def channel_options(idempotent: Sequence[str] = ()) -> list[tuple[str, Any]]:
    """What every channel is opened with.

    `idempotent` are the methods ("package.Service/Method") that are tried again when a server was unavailable:
    gRPC's own retry, for nothing else is safe to repeat unseen.
    """
    config: dict[str, Any] = {"loadBalancingConfig": [{"round_robin": {}}]}
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
    return [
        ("grpc.service_config", json.dumps(config)),
        ("grpc.enable_retries", 1),
        ("grpc.max_receive_message_length", LARGEST_ANSWER),
        # A peer that vanished without a word is noticed in half a minute; not more often, or servers say GOAWAY.
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.keepalive_permit_without_calls", 0),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 2_000),
    ]


class _AioUnary(aio.UnaryUnaryClientInterceptor):  # grpc-interceptor has no client side for asyncio
    async def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        details = client_call_details._replace(
            timeout=timeout_for(client_call_details.timeout, streams=False),
            metadata=aio.Metadata(*with_request_id(client_call_details.metadata)),
        )
        return await continuation(details, request)


class _AioStream(aio.UnaryStreamClientInterceptor):
    async def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        details = client_call_details._replace(
            timeout=timeout_for(client_call_details.timeout, streams=True),
            metadata=aio.Metadata(*with_request_id(client_call_details.metadata)),
        )
        return await continuation(details, request)


def aio_channel(
    target: str, *, certificates: CertificateReloader | None = None, idempotent: Sequence[str] = ()
) -> aio.Channel:
    """A channel for asyncio code. Client streams must carry their own metadata: these interceptors leave them alone."""
    return bare_aio_channel(
        target, certificates=certificates, idempotent=idempotent, interceptors=[_AioUnary(), _AioStream()]
    )


def bare_aio_channel(
    target: str,
    *,
    certificates: CertificateReloader | None = None,
    idempotent: Sequence[str] = (),
    interceptors: Sequence[aio.ClientInterceptor] = (),
) -> aio.Channel:
    """A channel whose calls carry what they are given and nothing else. In the clear without certificates."""
    options = channel_options(idempotent)
    if certificates is None:
        return aio.insecure_channel(target, options=options, interceptors=interceptors)
    return ReloadingChannel(
        certificates, lambda shown: aio.secure_channel(target, shown, options=options, interceptors=interceptors)
    )


class _Propagate(ClientInterceptor):
    """Request id and deadline of what is being served, and the service's token where one is given.

    A token may end before its time, when its account or its key does: what was refused is not sent again.
    """

    def __init__(self, token: ThreadTokenSource | None) -> None:
        self._token = token

    def intercept(
        self, method: Callable[..., Any], request_or_iterator: Any, call_details: grpc.ClientCallDetails
    ) -> Any:
        metadata = with_request_id(call_details.metadata)
        timeout = timeout_for(call_details.timeout, streams=True)
        source = self._token
        if source is None:
            return method(request_or_iterator, _replace(call_details, timeout=timeout, metadata=metadata))
        token = source()
        metadata.append(("authorization", f"Bearer {token}"))
        call = method(request_or_iterator, _replace(call_details, timeout=timeout, metadata=metadata))

        def look(ended: grpc.Call) -> None:
            if ended.code() is grpc.StatusCode.UNAUTHENTICATED:
                source.forget(token)

        call.add_done_callback(look)
        return call

    def intercept_unary_unary(
        self, continuation: Callable[..., Any], call_details: grpc.ClientCallDetails, request: Any
    ) -> Any:
        # The only kind of call that never should stay open.
        timeout = timeout_for(call_details.timeout, streams=False)
        return super().intercept_unary_unary(continuation, _replace(call_details, timeout=timeout), request)


def _replace(details: grpc.ClientCallDetails, **changes: Any) -> ClientCallDetails:
    values: dict[str, Any] = {
        name: changes.get(name, getattr(details, name, None)) for name in ClientCallDetails._fields
    }
    return ClientCallDetails(**values)


def sync_channel(
    target: str,
    *,
    certificates: CertificateReloader | None = None,
    token: ThreadTokenSource | None = None,
    idempotent: Sequence[str] = (),
) -> grpc.Channel:
    """A channel for code that runs in threads. Make it in the process that uses it: channels don't survive a fork."""
    options = channel_options(idempotent)
    channel: grpc.Channel
    if certificates is None:
        channel = grpc.insecure_channel(target, options=options)
    else:
        channel = RenewedChannel(certificates, lambda shown: grpc.secure_channel(target, shown, options=options))
    return grpc.intercept_channel(channel, _Propagate(token))
