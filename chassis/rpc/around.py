"""One shape for every server interceptor: an async context manager around the whole call."""

from abc import abstractmethod
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from inspect import isasyncgenfunction
from typing import Any

from grpc.aio import ServicerContext
from grpc_interceptor.server import AsyncServerInterceptor

Context = ServicerContext[Any, Any]


class ContextInterceptor(AsyncServerInterceptor):
    """Wraps unary and streaming calls alike: `around` is entered before the handler, left behind the last message."""

    @abstractmethod
    def around(self, context: Context, method: str) -> AbstractAsyncContextManager[None]:
        """What surrounds a call of `method` ("/package.Service/Method")."""

    async def intercept(
        self, method: Callable[..., Any], request_or_iterator: Any, context: Any, method_name: str
    ) -> Any:
        # Not called before `around` is entered: what it refuses must not even begin.
        if isasyncgenfunction(method):
            return self._stream(method, request_or_iterator, context, method_name)
        async with self.around(context, method_name):
            return await method(request_or_iterator, context)

    async def _stream(
        self, method: Callable[..., Any], request_or_iterator: Any, context: Context, method_name: str
    ) -> AsyncIterator[Any]:
        async with self.around(context, method_name):
            async for message in method(request_or_iterator, context):
                yield message
