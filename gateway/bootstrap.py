"""Wiring of the routes: which service has which rpcs, and the endpoint of each path."""

import asyncio
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from taskmanager.auth.v1 import (
    auth_service_pb2,
    security_event_service_pb2,
    service_account_service_pb2,
    token_service_pb2,
    token_service_pb2_grpc,
    user_service_pb2,
)
from taskmanager.imports.v1 import import_service_pb2
from taskmanager.tasks.v1 import history_service_pb2, task_service_pb2

from chassis.limits.rate_limit import AddressRateLimiter
from chassis.tls.reloader import CertificateReloader
from gateway.clients.token_exchange import TokenExchange
from gateway.clients.upstream import Upstream
from gateway.settings import GatewaySettings
from gateway.transcoding.contract import Rpc, read_rpcs
from gateway.transcoding.http.http_rules import parse_template
from gateway.transcoding.http.router import Router
from gateway.transcoding.json_codec.encoder import to_json
from gateway.transcoding.openapi.comments import Comments, parse_comments
from gateway.transcoding.openapi.document import build_document
from gateway.transport.docs.docs_page import docs_page
from gateway.transport.docs.openapi_info import OPENAPI_INFO
from gateway.transport.request.authorization import CallAuthorizer
from gateway.transport.request.client_address import ClientAddressResolver
from gateway.transport.request.client_rate_limit import ClientRateLimit
from gateway.transport.request.concurrency_limit import ConcurrencyLimit
from gateway.transport.request.http_request import Endpoint
from gateway.transport.responses.static_response import StaticResponse
from gateway.transport.routes import EndpointFactory, Route
from gateway.transport.upload.endpoint import UPLOAD_OPTIONS, UPLOAD_RPCS

AUTH_SERVICES = (
    auth_service_pb2.DESCRIPTOR.services_by_name["AuthService"],
    user_service_pb2.DESCRIPTOR.services_by_name["UserService"],
    token_service_pb2.DESCRIPTOR.services_by_name["TokenService"],
    service_account_service_pb2.DESCRIPTOR.services_by_name["ServiceAccountService"],
    security_event_service_pb2.DESCRIPTOR.services_by_name["SecurityEventService"],
)
TASKS_SERVICES = (
    task_service_pb2.DESCRIPTOR.services_by_name["TaskService"],
    history_service_pb2.DESCRIPTOR.services_by_name["HistoryService"],
    import_service_pb2.DESCRIPTOR.services_by_name["ImportService"],
)

PATH_SYNONYMS = {"restore": "undelete", "history": "events", "changes": "events", "signup": "register"}
"""Last words of paths in other APIs, which resemble none of ours. For restore, the most similar word is purge."""


def build_router(
    *,
    upstreams: Sequence[Upstream],
    settings: GatewaySettings,
    limiter: AddressRateLimiter,
    request_limit: ConcurrencyLimit,
    stopping: asyncio.Event,
    own_endpoints: Mapping[str, Endpoint],
) -> Router[Route]:
    """Build all routes: those of the rpcs, the gateway's own endpoints by path, and the documentation.

    auth_service is the first upstream.

    Raises:
        UnsupportedContract: the contract uses something that the gateway does not support.

    """
    rpcs = [rpc for upstream in upstreams for rpc in upstream.rpcs]
    auth_service = upstreams[0]
    exchange = TokenExchange(
        token_service_pb2_grpc.TokenServiceStub(auth_service.channel), timeout_seconds=settings.call_timeout_seconds
    )
    rate_limit = ClientRateLimit(limiter, ClientAddressResolver(settings.trusted_proxies))
    authorizer = CallAuthorizer(exchange, rate_limit)
    factory = EndpointFactory(
        rpcs=rpcs,
        settings=settings,
        authorizer=authorizer,
        rate_limit=rate_limit,
        request_limit=request_limit,
        stopping=stopping,
    )
    router: Router[Route] = Router()
    for upstream in upstreams:
        for rpc in upstream.rpcs:
            for binding in rpc.bindings:
                route = Route(binding.template.source, factory.create(upstream, rpc, binding))
                router.add(binding.http_method, binding.template, route)
    documents = {
        "/openapi.json": StaticResponse(to_json(build_openapi_document(rpcs)), b"application/json"),
        **docs_page(),
    }
    for path, endpoint in {**own_endpoints, **documents}.items():
        router.add("GET", parse_template(path), Route(path, endpoint))
    return router


def build_openapi_document(rpcs: Sequence[Rpc]) -> dict[str, Any]:
    """Build the OpenAPI document of the rpcs.

    Raises:
        UnsupportedContract: the contract uses something that the gateway does not support.

    """
    uploads = dict.fromkeys(UPLOAD_RPCS, UPLOAD_OPTIONS)
    return build_document(rpcs, uploads=uploads, comments=load_contract_comments(), info=OPENAPI_INFO)


def load_contract_comments() -> Comments:
    """Read the comments of the contract, which protos/generate writes beside the stubs; the stubs have none."""
    return parse_comments(files("taskmanager").joinpath("contract.binpb").read_bytes())


def create_upstreams(settings: GatewaySettings) -> tuple[Upstream, ...]:
    """Create the clients of the services, that of auth_service first."""
    certificates = CertificateReloader.from_files(settings.tls)
    return (
        Upstream(
            name="auth_service",
            target=settings.auth_target,
            rpcs=read_rpcs(AUTH_SERVICES),
            certificates=certificates,
            idempotent=["taskmanager.auth.v1.TokenService/ExchangeToken"],
        ),
        Upstream(
            name="task_service",
            target=settings.tasks_target,
            rpcs=read_rpcs(TASKS_SERVICES),
            certificates=certificates,
        ),
    )
