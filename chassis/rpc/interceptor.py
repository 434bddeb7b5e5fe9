"""Base class of the server interceptors: a context manager around the whole call."""

from abc import abstractmethod
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from functools import cache
from inspect import isasyncgenfunction
from typing import Any

from grpc.aio import ServicerContext
from grpc_interceptor.server import AsyncServerInterceptor

Context = ServicerContext[Any, Any]

is_stream = cache(isasyncgenfunction)
"""Return whether a method streams its responses. Methods are few: the handler cache composes each of them once."""


class ContextInterceptor(AsyncServerInterceptor):
    """Interceptor that wraps unary and streaming calls alike, from before the handler until after the last message."""

    @abstractmethod
    def call_context(self, context: Context, method: str) -> AbstractContextManager[None]:
        """Return the context manager for a call of `method` ("/package.Service/Method")."""

    async def intercept(
        self, method: Callable[..., Any], request_or_iterator: Any, context: Any, method_name: str
    ) -> Any:
        # The handler must not start before the context is entered, because the context may refuse the call.
        if is_stream(method):
            return self._stream(method, request_or_iterator, context, method_name)
        with self.call_context(context, method_name):
            return await method(request_or_iterator, context)

    async def _stream(
        self, method: Callable[..., Any], request_or_iterator: Any, context: Context, method_name: str
    ) -> AsyncIterator[Any]:
        with self.call_context(context, method_name):
            async for message in method(request_or_iterator, context):
                yield message
