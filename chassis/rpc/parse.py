"""Requests that are no message of their kind: refused in the chain, as everything that is wrong with a request is.

By itself grpc.aio parses before any interceptor runs, and answers what it can't parse with UNKNOWN and the class of the
parser's error, to strangers too; the call is not counted, and all that is logged is a traceback.
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
    """The request can't be read: it is no message of the kind that this call takes."""


_UNREADABLE: Final = object()

# By whether requests stream, and answers.
_HANDLERS: dict[tuple[bool, bool], Callable[..., Any]] = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}


class DeserializeInterceptor(aio.ServerInterceptor):
    """Goes innermost: it parses without failing, and raises when the call has come through the chain."""

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        handler = await continuation(handler_call_details)
        if handler is None or handler.request_deserializer is None:
            return handler
        method = handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
        return _HANDLERS[handler.request_streaming, handler.response_streaming](
            _checked(method, _each if handler.request_streaming else _one),
            request_deserializer=_tolerant(handler.request_deserializer),
            response_serializer=handler.response_serializer,
        )


def _tolerant(parse: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    def parsed(raw: bytes) -> Any:
        try:
            return parse(raw)
        except DecodeError:
            return _UNREADABLE

    return parsed


def _checked(method: Callable[..., Any], check: Callable[[Any], Any]) -> Callable[..., Any]:
    """The method, called with what has been checked; of the same shape, for gRPC tells streams by it."""
    if isasyncgenfunction(method):

        async def answers(request: Any, context: Context) -> AsyncIterator[Any]:
            async for message in method(check(request), context):
                yield message

        return answers

    async def answer(request: Any, context: Context) -> Any:
        return await method(check(request), context)

    return answer


def _one(request: Any) -> Any:
    if request is _UNREADABLE:
        raise UnreadableRequest
    return request


async def _each(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async for request in requests:
        yield _one(request)
