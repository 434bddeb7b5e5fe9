"""Reading a streaming call with a limit to every wait."""

import queue
import threading
from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar

import grpc

Message = TypeVar("Message")
Answer_co = TypeVar("Answer_co", covariant=True)


class Call(Protocol[Answer_co]):
    """The side of a streaming gRPC call that answers."""

    def __iter__(self) -> Iterator[Answer_co]: ...

    def cancel(self) -> object: ...


class Silence(Exception):
    """Nothing was heard for too long."""


class CallReader(Generic[Message]):
    """Takes a call's messages in a thread of its own.

    A synchronous gRPC call can be waited on only without limit; this can be waited on for `patience` seconds. At most
    `ahead` messages are taken before they are asked for, so a fast server does not fill the memory.
    """

    def __init__(self, call: Call[Message], *, ahead: int, patience: float) -> None:
        self._call = call
        self._patience = patience
        self._places = threading.Semaphore(ahead)
        self._closed = False
        self._messages: queue.SimpleQueue[Message | grpc.RpcError | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._pump, name="call-reader", daemon=True)
        self._thread.start()

    def next(self) -> Message | None:
        """Return the next message, None at the end. Raises Silence, and grpc.RpcError as the call ended."""
        try:
            message = self._messages.get(timeout=self._patience)
        except queue.Empty:
            raise Silence from None
        if isinstance(message, grpc.RpcError):
            raise message
        self._places.release()
        return message

    def close(self, *, linger: float = 0.0) -> None:
        """End the call and the thread. A call that is ending by itself is given `linger` seconds to."""
        self._thread.join(timeout=linger)
        self._closed = True
        self._call.cancel()
        self._places.release()
        self._thread.join()

    def _pump(self) -> None:
        try:
            for message in self._call:
                self._places.acquire()
                if self._closed:
                    return
                self._messages.put(message)
        except grpc.RpcError as error:
            self._messages.put(error)
        else:
            self._messages.put(None)
