"""Request id of a call."""

from collections.abc import Iterator
from contextlib import contextmanager

from chassis.rpc.interceptor import Context, ContextInterceptor
from chassis.rpc.request_context import (
    REQUEST_ID_KEY,
    accept_request_id,
    enter_deadline,
    enter_request,
    enter_trailing_metadata,
)


class RequestIdInterceptor(ContextInterceptor):
    """Interceptor that accepts the caller's request id or creates one, and returns it in the trailers.

    It also stores the deadline of the call, and adds to the trailers what the call sets. An error has its own trailers.
    """

    @contextmanager
    def call_context(self, context: Context, method: str) -> Iterator[None]:  # noqa: ARG002 - the interface
        received = next((value for key, value in context.invocation_metadata() or () if key == REQUEST_ID_KEY), None)
        request_id = accept_request_id(received if isinstance(received, str) else None)
        enter_request(request_id)
        enter_deadline(context.time_remaining)
        trailers = {REQUEST_ID_KEY: request_id}

        def add_trailer(key: str, value: str) -> None:
            trailers[key] = value
            context.set_trailing_metadata(tuple(trailers.items()))

        context.set_trailing_metadata(tuple(trailers.items()))
        enter_trailing_metadata(add_trailer)
        yield
