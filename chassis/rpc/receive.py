"""Request messages, received inside the interceptor chain.

By itself grpc.aio receives and deserializes the request of a unary call before the interceptors run. A call that sends
only its headers is then neither counted, logged nor limited. A malformed request is answered with UNKNOWN and the class
of the parser's error, also to callers without a token.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from inspect import isasyncgenfunction
from typing import Any, Final

import grpc
from google.protobuf.message import DecodeError
from grpc import aio

from chassis.kernel.errors import DomainError, Invalid
from chassis.limits.pending_requests import PendingRequests
from chassis.rpc.interceptor import Context


class UnreadableRequest(Invalid):
    """The request is not a message of the type that this method takes."""


class MissingRequest(Invalid):
    """The call ended without a request message. This method takes exactly one."""


class SecondRequest(Invalid):
    """The call has more than one request message. This method takes exactly one."""


MAX_DRAIN_SECONDS = 1.0

_UNREADABLE: Final = object()


class ReceiveInterceptor(aio.ServerInterceptor):
    """Interceptor that receives the request after the outer interceptors have admitted the call.

    For gRPC, every method behind it takes a stream of requests: gRPC then starts the call at its headers. The inner
    interceptors and the handler get the one request of a unary method, or the stream of a streaming one.
    """

    def __init__(self, pending: PendingRequests) -> None:
        self._pending = pending

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        handler = await continuation(handler_call_details)
        if handler is None or handler.request_deserializer is None:
            return handler
        create = (
            grpc.stream_stream_rpc_method_handler
            if handler.response_streaming
            else grpc.stream_unary_rpc_method_handler
        )
        method = handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
        return create(
            self._with_stream(method) if handler.request_streaming else self._with_one_request(method),
            request_deserializer=_mark_unreadable(handler.request_deserializer),
            response_serializer=handler.response_serializer,
        )

    def _with_one_request(self, method: Callable[..., Any]) -> Callable[..., Any]:
        """Return the method as one that takes a stream. It keeps its shape, because gRPC recognises streams by it."""
        if isasyncgenfunction(method):

            async def stream_method(_: object, context: Context) -> AsyncIterator[Any]:
                request = await self._pending.wait_for(_receive_one(context))
                async for message in method(request, context):
                    yield message

            return stream_method

        async def unary_method(_: object, context: Context) -> Any:
            return await method(await self._pending.wait_for(_receive_one(context)), context)

        return unary_method

    @staticmethod
    def _with_stream(method: Callable[..., Any]) -> Callable[..., Any]:
        if isasyncgenfunction(method):

            async def stream_method(requests: AsyncIterator[Any], context: Context) -> AsyncIterator[Any]:
                async for message in method(_check_each(requests), context):
                    yield message

            return stream_method

        async def unary_method(requests: AsyncIterator[Any], context: Context) -> Any:
            try:
                return await method(_check_each(requests), context)
            except DomainError:
                await _drain(requests)
                raise

        return unary_method


async def _drain(requests: AsyncIterator[Any]) -> None:
    """Read the rest of the requests before an error ends the call, for at most a second.

    A Python client whose write fails because the call has ended reports INTERNAL instead of the status
    (https://github.com/grpc/grpc/issues/36066). A client that has little left to send gets the status this way. A
    client that cancels its pending write when the call ends does not need it.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(MAX_DRAIN_SECONDS):
            async for _ in requests:
                pass


def _mark_unreadable(deserialize: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    def deserialize_or_mark(raw: bytes) -> Any:
        try:
            return deserialize(raw)
        except DecodeError:
            return _UNREADABLE

    return deserialize_or_mark


async def _receive_one(context: Context) -> Any:
    request = await context.read()
    if request is aio.EOF:
        await asyncio.sleep(0)  # a cancelled call ends in the same way; let the cancellation arrive first
        raise MissingRequest
    if await context.read() is not aio.EOF:
        raise SecondRequest
    return _check(request)


def _check(request: Any) -> Any:
    if request is _UNREADABLE:
        raise UnreadableRequest
    return request


async def _check_each(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async for request in requests:
        yield _check(request)
