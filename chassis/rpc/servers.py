"""The gRPC servers of a process: one for everybody, and optionally one for the callers inside the system."""

import asyncio
from typing import Self

from chassis.rpc.server import GrpcServer


class GrpcServers:
    """The public server and the internal one, which start, become ready and stop together.

    The internal server has connections, limits and health of its own, so that an attack on the public port does not
    reach the gateway, the workers and the other services.
    """

    def __init__(self, *, public: GrpcServer, internal: GrpcServer | None) -> None:
        self._public = public
        self._internal = internal

    @property
    def port(self) -> int:
        """Port of the public server."""
        return self._public.port

    @property
    def internal_port(self) -> int:
        """Port for the callers inside the system: the public one if there is no other."""
        return (self._internal or self._public).port

    @property
    def is_ready(self) -> asyncio.Event:
        """Set when calls are accepted."""
        return self._public.is_ready

    async def start(self) -> Self:
        """Bind and serve both. Health reports NOT_SERVING until `set_ready`. Raises CannotListen."""
        await self._public.start()
        if self._internal:
            try:
                await self._internal.start()
            except BaseException:
                await self._public.stop()
                raise
        return self

    async def set_ready(self) -> None:
        """Report SERVING, on the internal port first, because the public one stands for the whole process."""
        if self._internal:
            await self._internal.set_ready()
        await self._public.set_ready()

    async def stop(self) -> None:
        """Stop both at the same time."""
        await asyncio.gather(*(server.stop() for server in (self._public, self._internal) if server))
