"""Port for the spans of use cases that work in the background."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Protocol


class StartSpan(Protocol):
    """Start of a span that belongs to the trace of an earlier request."""

    def __call__(
        self, name: str, attributes: Mapping[str, str | int], *, traceparent: str
    ) -> AbstractContextManager[object]:
        """Run a block in a span. Without a traceparent there is none."""
