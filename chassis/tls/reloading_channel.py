"""Channels under mutual TLS whose certificates are replaced while they are in use.

gRPC reads a channel's certificates once, when it is created. ReloadingChannel therefore uses several channels: a new
call uses the newest, and an older one is closed when its last call has ended, even a long stream.
(docs/adr/0005-mutual-tls.md)
"""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import grpc
from grpc import aio

from chassis.tls.credentials import client_credentials
from chassis.tls.reloader import CertificateReloader

OpenChannel = Callable[[grpc.ChannelCredentials], aio.Channel]


class CountedChannel:
    """A channel and the number of its open calls."""

    __slots__ = ("calls", "channel")

    def __init__(self, channel: aio.Channel) -> None:
        self.channel = channel
        self.calls = 0


class ChannelRotation:
    """The channel with the newest certificates, and older ones that still have open calls."""

    def __init__(self, certificates: CertificateReloader, open_channel: OpenChannel) -> None:
        self._certificates = certificates
        self._open_channel = open_channel
        self._bundle = certificates.current()
        self._newest = self._open()
        self._older: list[CountedChannel] = []

    @property
    def newest(self) -> aio.Channel:
        """The channel with the certificates that were loaded last."""
        return self._newest.channel

    def acquire(self) -> CountedChannel:
        """Return the channel for a new call. Call `release` when the call ends."""
        bundle = self._certificates.current()
        if bundle is not self._bundle:
            self._bundle = bundle
            self._older.append(self._newest)
            self._newest = self._open()
        self._newest.calls += 1
        return self._newest

    def release(self, used: CountedChannel) -> None:
        """Record that a call has ended."""
        used.calls -= 1

    def pop_idle(self) -> list[aio.Channel]:
        """Remove and return the older channels without open calls. The caller closes them."""
        idle = [older.channel for older in self._older if not older.calls]
        self._older = [older for older in self._older if older.calls]
        return idle

    def all(self) -> list[aio.Channel]:
        """Return every channel, the newest last."""
        return [counted.channel for counted in (*self._older, self._newest)]

    def _open(self) -> CountedChannel:
        return CountedChannel(self._open_channel(client_credentials(self._bundle)))


class ReloadingChannel(aio.Channel):
    """Channel that always uses the newest certificates for new calls."""

    def __init__(self, certificates: CertificateReloader, open_channel: OpenChannel) -> None:
        self._rotation = ChannelRotation(certificates, open_channel)
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
        cached: tuple[CountedChannel | None, Any] = (None, None)

        def start_call(*arguments: Any, **options: Any) -> Any:
            nonlocal cached
            used = self._rotation.acquire()
            try:
                if cached[0] is not used:
                    cached = used, getattr(used.channel, kind)(*method, **codec)
                call = cached[1](*arguments, **options)
            except BaseException:
                self._rotation.release(used)
                raise
            call.add_done_callback(lambda _: self._end_call(used))
            return call

        return start_call

    def _end_call(self, used: CountedChannel) -> None:
        self._rotation.release(used)
        for channel in self._rotation.pop_idle():
            task = asyncio.get_running_loop().create_task(channel.close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:  # noqa: FBT001, FBT002 - gRPC's shape
        return self._rotation.newest.get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        await self._rotation.newest.wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        await self._rotation.newest.channel_ready()

    async def close(self, grace: float | None = None) -> None:
        await asyncio.gather(*(channel.close(grace) for channel in self._rotation.all()), *self._closing)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()
