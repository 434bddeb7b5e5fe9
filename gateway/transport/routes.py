"""Every route of the gateway, from the contract's http rules; only a client stream has an endpoint written by hand."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chassis.limits.rate_limit import AddressRateLimiter
from gateway.clients.upstream import Upstream
from gateway.settings import GatewaySettings
from gateway.transcoding.bind import RequestBinder
from gateway.transcoding.comments import Comments
from gateway.transcoding.contract import Rpc, location_of
from gateway.transcoding.decode import Decoders
from gateway.transcoding.encode import Encoders, to_json
from gateway.transcoding.http_rules import Binding, UnsupportedContract, parse_template
from gateway.transcoding.openapi import document
from gateway.transcoding.router import Router
from gateway.transport import upload
from gateway.transport.conditions import AnswerTag, RequestConditions
from gateway.transport.docs import docs_pages
from gateway.transport.download import DownloadEndpoint
from gateway.transport.edge import Alive, Ready
from gateway.transport.guide import GUIDE
from gateway.transport.incoming import Endpoint
from gateway.transport.limited import LimitedEndpoint
from gateway.transport.static import Static
from gateway.transport.stream import StreamEndpoint
from gateway.transport.unary import JsonBody, UnaryEndpoint


@dataclass(frozen=True, slots=True)
class Route:
    """An endpoint and the path template that the log and the metrics name it by."""

    template: str
    endpoint: Endpoint


class Endpoints:
    """Makes the endpoint of each binding. What does not depend on the request is compiled here, once."""

    def __init__(
        self, *, rpcs: Sequence[Rpc], settings: GatewaySettings, limiter: AddressRateLimiter, stopping: asyncio.Event
    ) -> None:
        self._rpcs = rpcs
        self._settings = settings
        self._stopping = stopping
        self._encoders = Encoders()
        self._decoders = Decoders()
        self._limiter = limiter
        self._body = JsonBody(limit=settings.max_body_bytes, seconds=settings.body_timeout_seconds)

    def of(self, upstream: Upstream, rpc: Rpc, binding: Binding) -> Endpoint:
        """The endpoint of one binding.

        Raises:
            UnsupportedContract: a type has no place in the JSON dialect, or nobody has written how the client
                stream is uploaded.

        """
        if rpc.client_streaming:
            return self._upload(upstream, rpc, binding)
        bind = RequestBinder(binding, rpc.request, self._decoders)
        if rpc.is_download:
            return DownloadEndpoint(bind=bind, call=upstream.server_stream(rpc), file_name=rpc.file_name)
        encode = self._encoders.of(rpc.response)
        if rpc.server_streaming:
            return StreamEndpoint(
                bind=bind,
                call=upstream.server_stream(rpc),
                encode=encode,
                body=self._body,
                keep_alive_seconds=self._settings.keep_alive_seconds,
                stopping=self._stopping,
            )
        endpoint = UnaryEndpoint(
            bind=bind,
            call=upstream.unary(rpc),
            encode=encode,
            body=self._body,
            timeout=self._settings.call_timeout_seconds,
            is_idempotent=rpc.is_idempotent,
            is_public=rpc.access.public,
            success_status=rpc.success_status,
            location=location_of(rpc, self._rpcs),
            conditions=RequestConditions(binding, rpc.request),
            tag=AnswerTag(rpc.response),
        )
        # What anybody may do without a token and what costs something: logging in, registering.
        is_limited = rpc.access.public and not rpc.is_idempotent
        return LimitedEndpoint(endpoint, self._limiter) if is_limited else endpoint

    def _upload(self, upstream: Upstream, rpc: Rpc, binding: Binding) -> Endpoint:
        if rpc.full_name != upload.RPC:
            raise UnsupportedContract(f"{rpc.full_name}: a client stream has no http rule that could be understood")
        return upload.UploadEndpoint(
            call=upstream.client_stream(rpc),
            encode=self._encoders.of(rpc.response),
            success_status=rpc.success_status,
            location=location_of(rpc, self._rpcs),
            limit=self._settings.max_upload_bytes,
            idle_seconds=self._settings.upload_idle_timeout_seconds,
            answer_seconds=self._settings.upload_response_timeout_seconds,
            conditions=RequestConditions(binding, upload.OPTIONS),
        )


def build_router(
    *,
    upstreams: Sequence[Upstream],
    settings: GatewaySettings,
    comments: Comments,
    limiter: AddressRateLimiter,
    stopping: asyncio.Event,
) -> Router[Route]:
    """All routes.

    Raises:
        UnsupportedContract: the contract says something that the gateway does not understand.

    """
    rpcs = [rpc for upstream in upstreams for rpc in upstream.rpcs]
    endpoints = Endpoints(rpcs=rpcs, settings=settings, limiter=limiter, stopping=stopping)
    router: Router[Route] = Router()
    for upstream in upstreams:
        for rpc in upstream.rpcs:
            for binding in rpc.bindings:
                source = binding.template.source
                route = Route(source, endpoints.of(upstream, rpc, binding))
                router.add(binding.http_method, binding.template, route)
    described = document(rpcs, uploads={upload.RPC: upload.OPTIONS}, comments=comments, guide=GUIDE)
    edge: Mapping[str, Endpoint] = {
        "/healthz": Alive(),
        "/readyz": Ready(upstreams=upstreams, stopping=stopping),
        "/openapi.json": Static(to_json(described), b"application/json"),
        **docs_pages(),
    }
    for path, endpoint in edge.items():
        router.add("GET", parse_template(path), Route(path, endpoint))
    return router
