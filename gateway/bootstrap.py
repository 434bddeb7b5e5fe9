"""Where the gateway is put together: the only module that knows all of its rooms and which service has which rpcs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files

from taskmanager.auth.v1 import (
    auth_service_pb2,
    security_event_service_pb2,
    service_account_service_pb2,
    user_service_pb2,
)
from taskmanager.imports.v1 import import_service_pb2
from taskmanager.tasks.v1 import history_service_pb2, task_service_pb2

from chassis.settings import Listen
from chassis.limits.rate_limit import AddressRateLimiter
from chassis.tls.reloader import CertificateReloader
from gateway.clients.upstream import Upstream
from gateway.settings import GatewaySettings
from gateway.transcoding.comments import Comments, read_comments
from gateway.transcoding.contract import read_rpcs
from gateway.transport.app import build_app
from gateway.transport.routes import build_router
from gateway.transport.server import serve

AUTH_SERVICES = (
    auth_service_pb2.DESCRIPTOR.services_by_name["AuthService"],
    user_service_pb2.DESCRIPTOR.services_by_name["UserService"],
    service_account_service_pb2.DESCRIPTOR.services_by_name["ServiceAccountService"],
    security_event_service_pb2.DESCRIPTOR.services_by_name["SecurityEventService"],
)
TASKS_SERVICES = (
    task_service_pb2.DESCRIPTOR.services_by_name["TaskService"],
    history_service_pb2.DESCRIPTOR.services_by_name["HistoryService"],
    import_service_pb2.DESCRIPTOR.services_by_name["ImportService"],
)


def contract_comments() -> Comments:
    """What the contract says in words. protos/generate writes it beside the stubs, which leave it out."""
    return read_comments(files("taskmanager").joinpath("contract.binpb").read_bytes())


@asynccontextmanager
async def gateway(settings: GatewaySettings) -> AsyncIterator[Listen]:
    """The running gateway, and the address it listens on.

    Raises:
        UnsupportedContract: the contract says something that the gateway does not understand.
        CannotListen: the address can't be had.

    """
    stopping = asyncio.Event()
    certificates = CertificateReloader.from_files(settings.tls)
    upstreams = tuple(
        Upstream(name=name, target=target, rpcs=read_rpcs(services), certificates=certificates)
        for name, target, services in (
            ("auth_service", settings.auth_target, AUTH_SERVICES),
            ("task_service", settings.tasks_target, TASKS_SERVICES),
        )
    )
    limiter = AddressRateLimiter(
        per_minute=settings.public_calls_per_minute, storage_url=settings.rate_limit_storage_url.get_secret_value()
    )
    try:
        router = build_router(
            upstreams=upstreams, settings=settings, comments=contract_comments(), limiter=limiter, stopping=stopping
        )
        async with serve(
            build_app(router),
            listen=settings.listen,
            header_timeout_seconds=settings.header_timeout_seconds,
            drain_seconds=settings.drain_seconds,
            stopping=stopping,
        ) as address:
            yield address
    finally:
        for upstream in upstreams:
            await upstream.close()
        await limiter.close()
