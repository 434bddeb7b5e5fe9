"""Database sessions of a use case: connections for reads, and transactions.

Each bounded context (tasks, history, imports) adds its repositories.
"""

from types import TracebackType
from typing import Protocol, Self


class ReadSession(Protocol):
    """Connection for reads, open inside `async with`. Each statement is its own transaction."""

    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


class UnitOfWork(ReadSession, Protocol):
    """One transaction, open inside `async with`. Leaving it without `commit` rolls it back."""

    async def commit(self) -> None:
        """Commit the transaction."""
