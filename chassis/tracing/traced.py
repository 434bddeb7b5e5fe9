"""Spans around use cases, which know nothing of tracing."""

from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

from chassis.tracing.spans import Attributes, child_span, is_enabled

P = ParamSpec("P")
R = TypeVar("R")


def traced(call: Callable[P, Awaitable[R]], name: str, describe: Callable[P, Attributes]) -> Callable[P, Awaitable[R]]:
    """Return a callable that runs `call` in a span with the attributes that `describe` returns for its arguments."""
    if not is_enabled():
        return call

    async def run(*args: P.args, **kwargs: P.kwargs) -> R:
        with child_span(name, describe(*args, **kwargs)):
            return await call(*args, **kwargs)

    return run
