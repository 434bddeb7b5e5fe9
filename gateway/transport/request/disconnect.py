"""The end of a client's connection, while its request is in progress."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

DISCONNECT_KEY = "gateway.disconnect"
"""Scope key of the connection's Disconnect."""


class ClientDisconnected(Exception):
    """The client closed the connection before its request ended."""


class Disconnect:
    """Disconnect of one connection's client. It cancels a read in progress, whose response nobody would get.

    The protocol reports it, so that no request needs a task that waits for it. A connection has one request in progress
    at most: pipelined ones wait.
    """

    def __init__(self) -> None:
        self._has_happened = False
        self._reader: asyncio.Task[object] | None = None

    def record_disconnect(self) -> None:
        """Record that the client has gone, and cancel the read in progress."""
        self._has_happened = True
        if self._reader is not None:
            self._reader.cancel()

    @contextmanager
    def cancel_on_disconnect(self) -> Iterator[None]:
        """Cancel the block when the client disconnects. Use it for reads only.

        Raises:
            ClientDisconnected: the client has gone, and the block was cancelled or has not begun.

        """
        if self._has_happened:
            raise ClientDisconnected
        task = self._reader = asyncio.current_task()
        try:
            yield
        except asyncio.CancelledError:
            # The end of the drain cancels the task too, and must not be lost.
            if self._has_happened and task is not None and not task.uncancel():
                raise ClientDisconnected from None
            raise
        finally:
            self._reader = None
