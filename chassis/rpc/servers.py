"""The gRPC servers of a process: one for everybody, and optionally one for the callers inside the system."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Self

from grpc import aio

from chassis.limits.load_shed import Capacity
from chassis.probes.process_status import ProcessStatus
from chassis.rpc.errors import StatusTable
from chassis.rpc.server import GrpcServer, Registration
from chassis.rpc.settings import GrpcServiceSettings
from chassis.rpc.trust import TrustState
from chassis.tls.reloader import CertificateReloader
from chassis.tokens import TokenVerifier


class GrpcServers:
    """The public server and the internal one, which start, become ready and stop together.

    The internal server has connections, limits and health of its own, so that an attack on the public port does not
    reach the gateway, the workers and the other services.
    """

    def __init__(
        self,
        *,
        public: GrpcServer,
        internal: GrpcServer | None,
        status: ProcessStatus,
        drain_delay_seconds: float = 0.0,
    ) -> None:
        self._public = public
        self._internal = internal
        self._status = status
        self._drain_delay_seconds = drain_delay_seconds

    @classmethod
    def from_settings(
        cls,
        settings: GrpcServiceSettings,
        *,
        registrations: Sequence[Registration],
        statuses: StatusTable,
        trust: TrustState,
        certificates: CertificateReloader | None,
        capacity: Capacity,
        process_status: ProcessStatus,
        public_interceptors: Sequence[aio.ServerInterceptor] = (),
    ) -> Self:
        """Create both servers, or only the public one without `internal_listen`."""
        create = partial(
            GrpcServer,
            registrations=registrations,
            verifier=TokenVerifier(trust=trust, issuer=settings.token_issuer, audience=settings.token_audience),
            status=statuses,
            with_reflection=settings.reflection,
            drain_seconds=settings.drain_seconds,
            request_timeout_seconds=settings.request_timeout_seconds,
            certificates=certificates,
            capacity=capacity,
        )
        has_internal = settings.internal_listen is not None
        return cls(
            public=create(
                listen=settings.listen, interceptors=public_interceptors, with_internal_rpcs=not has_internal
            ),
            internal=create(listen=settings.internal_listen) if settings.internal_listen else None,
            status=process_status,
            drain_delay_seconds=settings.drain_delay_seconds,
        )

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
        self._status.set_ready()

    async def stop(self) -> None:
        """Report NOT_SERVING, go on serving for the drain delay, then stop both at the same time.

        Clients and load balancers need the delay to notice: until then they send new calls here.
        """
        servers = [server for server in (self._public, self._internal) if server]
        was_ready = self._status.is_ready
        self._status.begin_drain()
        for server in servers:
            server.leave()
        if was_ready:
            await asyncio.sleep(self._drain_delay_seconds)
        await asyncio.gather(*(server.stop() for server in servers))
