"""Turns of callers as an argument."""

from collections.abc import Awaitable, Callable, Hashable

TakeTurn = Callable[[Hashable], Awaitable[None]]
"""Function that waits until the caller may do its next step, so that its steps do not slow down other callers."""
