"""Channels under mutual TLS whose certificates are renewed while they are in use.

gRPC takes a channel's certificates once, when it is made. So there is a succession of channels behind one: a call goes
to the newest, and one that was followed by another is closed when the last call that began on it has ended, be it a
long stream. Nobody who calls notices. (docs/adr/0005-mutual-tls.md)
"""

import asyncio
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import grpc
from grpc import aio

from chassis.tls.credentials import client_credentials
from chassis.tls.reloader import CertificateReloader

AnyChannel = TypeVar("AnyChannel")


class Opened(Generic[AnyChannel]):
    """One channel of a succession, and how many calls are on it."""

    __slots__ = ("calls", "channel")

    def __init__(self, channel: AnyChannel) -> None:
        self.channel = channel
        self.calls = 0


class Succession(Generic[AnyChannel]):
    """The channel of the newest certificates, and the earlier ones that still have calls. Good for many threads."""

    def __init__(
        self, certificates: CertificateReloader, open_channel: Callable[[grpc.ChannelCredentials], AnyChannel]
    ) -> None:
        self._certificates = certificates
        self._open_channel = open_channel
        self._lock = threading.Lock()
        self._identity = certificates.current()
        self._newest = self._open()
        self._earlier: list[Opened[AnyChannel]] = []

    @property
    def newest(self) -> AnyChannel:
        """The channel that the next call would go to, if nothing is renewed before."""
        return self._newest.channel

    def take(self) -> Opened[AnyChannel]:
        """The channel for a call that begins now, which counts until it is given back."""
        with self._lock:
            identity = self._certificates.current()
            if identity is not self._identity:
                self._identity = identity
                self._earlier.append(self._newest)
                self._newest = self._open()
            self._newest.calls += 1
            return self._newest

    def give_back(self, opened: Opened[AnyChannel]) -> None:
        """Says that a call has ended."""
        with self._lock:
            opened.calls -= 1

    def idle(self) -> list[AnyChannel]:
        """The earlier channels without calls, each handed out once, to be closed."""
        if not self._earlier:
            return []
        with self._lock:
            idle = [opened for opened in self._earlier if not opened.calls]
            self._earlier = [opened for opened in self._earlier if opened.calls]
        return [opened.channel for opened in idle]

    def all(self) -> list[AnyChannel]:
        """Every channel, the newest last."""
        return [opened.channel for opened in (*self._earlier, self._newest)]

    def _open(self) -> Opened[AnyChannel]:
        return Opened(self._open_channel(client_credentials(self._identity)))


class ReloadingChannel(aio.Channel):
    """A succession of channels as one, for asyncio code."""

    def __init__(
        self, certificates: CertificateReloader, open_channel: Callable[[grpc.ChannelCredentials], aio.Channel]
    ) -> None:
        self._succession = Succession(certificates, open_channel)
        self._closing: set[asyncio.Task[None]] = set()

    def unary_unary(self, *method: Any, **codec: Any) -> Any:
        return self._callable("unary_unary", method, codec)

    def unary_stream(self, *method: Any, **codec: Any) -> Any:
        return self._callable("unary_stream", method, codec)

    def stream_unary(self, *method: Any, **codec: Any) -> Any:
        return self._callable("stream_unary", method, codec)

    def stream_stream(self, *method: Any, **codec: Any) -> Any:
        return self._callable("stream_stream", method, codec)

    def _callable(self, kind: str, method: Any, codec: Any) -> Any:
        made: tuple[Opened[aio.Channel] | None, Any] = (None, None)

        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal made
            opened = self._succession.take()
            try:
                if made[0] is not opened:
                    made = opened, getattr(opened.channel, kind)(*method, **codec)
                begun = made[1](*arguments, **options)
            except BaseException:
                self._succession.give_back(opened)
                raise
            begun.add_done_callback(lambda _: self._ended(opened))
            return begun

        return call

    def _ended(self, opened: Opened[aio.Channel]) -> None:
        self._succession.give_back(opened)
        for channel in self._succession.idle():
            task = asyncio.get_running_loop().create_task(channel.close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:  # noqa: FBT001, FBT002 - gRPC's shape
        return self._succession.newest.get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        await self._succession.newest.wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        await self._succession.newest.channel_ready()

    async def close(self, grace: float | None = None) -> None:
        await asyncio.gather(*(channel.close(grace) for channel in self._succession.all()), *self._closing)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


class RenewedChannel(grpc.Channel):
    """A succession of channels as one, for code that runs in threads."""

    def __init__(
        self, certificates: CertificateReloader, open_channel: Callable[[grpc.ChannelCredentials], grpc.Channel]
    ) -> None:
        self._succession = Succession(certificates, open_channel)

    def unary_unary(self, *method: Any, **codec: Any) -> Any:
        return _Waiting(self._succession, "unary_unary", method, codec)

    def unary_stream(self, *method: Any, **codec: Any) -> Any:
        return _Begun(self._succession, "unary_stream", method, codec)

    def stream_unary(self, *method: Any, **codec: Any) -> Any:
        return _Waiting(self._succession, "stream_unary", method, codec)

    def stream_stream(self, *method: Any, **codec: Any) -> Any:
        return _Begun(self._succession, "stream_stream", method, codec)

    def subscribe(self, callback: Callable[[Any], Any], try_to_connect: bool | None = False) -> None:  # noqa: FBT001, FBT002 - gRPC's shape
        self._succession.newest.subscribe(callback, bool(try_to_connect))

    def unsubscribe(self, callback: Callable[[Any], Any]) -> None:
        for channel in self._succession.all():
            channel.unsubscribe(callback)

    def close(self) -> None:
        for channel in self._succession.all():
            channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Callable:
    """A method of whichever channel is the newest when it is called."""

    def __init__(self, succession: Succession[grpc.Channel], kind: str, method: Any, codec: Any) -> None:
        self._succession = succession
        self._kind = kind
        self._method = method
        self._codec = codec

    def _begin(self, how: str, arguments: Any, options: Any) -> Any:
        """A call that goes on after this returns."""
        opened = self._take()
        try:
            begun = getattr(self._on(opened), how)(*arguments, **options)
        except BaseException:
            self._succession.give_back(opened)
            raise
        begun.add_done_callback(lambda _: self._succession.give_back(opened))
        return begun

    def _take(self) -> Opened[grpc.Channel]:
        opened = self._succession.take()
        # Here and not where a call ends: that is in a thread of the channel's own, which closing waits for.
        for channel in self._succession.idle():
            channel.close()
        return opened

    def _on(self, opened: Opened[grpc.Channel]) -> Any:
        return getattr(opened.channel, self._kind)(*self._method, **self._codec)


class _Begun(_Callable):
    """Returns with the call begun."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return self._begin("__call__", arguments, options)


class _Waiting(_Callable):
    """Returns with the answer, unless asked for a future."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return self._wait("__call__", arguments, options)

    def with_call(self, *arguments: Any, **options: Any) -> Any:
        return self._wait("with_call", arguments, options)

    def future(self, *arguments: Any, **options: Any) -> Any:
        return self._begin("future", arguments, options)

    def _wait(self, how: str, arguments: Any, options: Any) -> Any:
        opened = self._take()
        try:
            return getattr(self._on(opened), how)(*arguments, **options)
        finally:
            self._succession.give_back(opened)
