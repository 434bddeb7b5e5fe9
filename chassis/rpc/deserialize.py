"""Deserialization errors, reported through the interceptor chain like every other invalid request.

By itself grpc.aio deserializes before the interceptors run. It rejects a malformed request with UNKNOWN and the class
of the parser's error, also to callers without a token. It does not count the call, and logs only a traceback.
"""

from collections.abc import AsyncIterator, Callable
from inspect import isasyncgenfunction
from typing import Any, Final

import grpc
from google.protobuf.message import DecodeError
from grpc import aio

from chassis.kernel.errors import Invalid
from chassis.rpc.interceptor import Context


class UnreadableRequest(Invalid):
    """The request is not a message of the type that this method takes."""


_UNREADABLE: Final = object()

# By (request streams, response streams).
_HANDLERS: dict[tuple[bool, bool], Callable[..., Any]] = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}


class DeserializeInterceptor(aio.ServerInterceptor):
    """Innermost interceptor: it deserializes without failing, and raises after the call has passed the chain."""

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        handler = await continuation(handler_call_details)
        if handler is None or handler.request_deserializer is None:
            return handler
        method = handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
        return _HANDLERS[handler.request_streaming, handler.response_streaming](
            _check_requests(method, _check_each if handler.request_streaming else _check),
            request_deserializer=_mark_unreadable(handler.request_deserializer),
            response_serializer=handler.response_serializer,
        )


def _mark_unreadable(deserialize: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    def deserialize_or_mark(raw: bytes) -> Any:
        try:
            return deserialize(raw)
        except DecodeError:
            return _UNREADABLE

    return deserialize_or_mark


def _check_requests(method: Callable[..., Any], check: Callable[[Any], Any]) -> Callable[..., Any]:
    """Return the method with checked requests. It keeps its shape, because gRPC recognises streams by it."""
    if isasyncgenfunction(method):

        async def stream_method(request: Any, context: Context) -> AsyncIterator[Any]:
            async for message in method(check(request), context):
                yield message

        return stream_method

    async def unary_method(request: Any, context: Context) -> Any:
        return await method(check(request), context)

    return unary_method


def _check(request: Any) -> Any:
    if request is _UNREADABLE:
        raise UnreadableRequest
    return request


async def _check_each(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async for request in requests:
        yield _check(request)
