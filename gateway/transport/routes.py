"""Routes of the rpcs, from the http rules of the contract. Only the CSV upload has an endpoint for one specific rpc."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from chassis.limits.caller_turns import CallerTurns
from gateway.clients.upstream import Upstream
from gateway.settings import GatewaySettings
from gateway.transcoding.contract import Rpc, location_prefix_of
from gateway.transcoding.errors import UnsupportedContract
from gateway.transcoding.http.http_rules import Binding
from gateway.transcoding.http.request_binder import RequestBinder
from gateway.transcoding.json_codec.decoder import Decoders
from gateway.transcoding.json_codec.encoder import Encoders
from gateway.transport.endpoints.download import DownloadEndpoint
from gateway.transport.endpoints.rate_limited import RateLimitedEndpoint
from gateway.transport.endpoints.server_stream import ServerStreamEndpoint
from gateway.transport.endpoints.stream_limited import StreamLimitedEndpoint
from gateway.transport.endpoints.unary import UnaryEndpoint
from gateway.transport.request.authorization import CallAuthorizer
from gateway.transport.request.client_rate_limit import ClientRateLimit
from gateway.transport.request.concurrency_limit import ConcurrencyLimit, StreamLimit
from gateway.transport.request.http_request import Endpoint
from gateway.transport.request.json_body import JsonBodyReader
from gateway.transport.request.preconditions import Preconditions
from gateway.transport.responses.etag import ETagBuilder
from gateway.transport.upload.body import UploadBodyReader
from gateway.transport.upload.endpoint import OPTION_NAMES, UPLOAD_OPTIONS, UPLOAD_RPCS, UploadEndpoint


@dataclass(frozen=True, slots=True)
class Route:
    """An endpoint, and the path template that names it in logs and metrics."""

    path: str
    endpoint: Endpoint


class EndpointFactory:
    """Factory of the endpoint of each binding. It compiles once what does not depend on the request."""

    def __init__(
        self,
        *,
        rpcs: Sequence[Rpc],
        settings: GatewaySettings,
        authorizer: CallAuthorizer,
        rate_limit: ClientRateLimit,
        request_limit: ConcurrencyLimit,
        stopping: asyncio.Event,
    ) -> None:
        self._rpcs = rpcs
        self._settings = settings
        self._authorizer = authorizer
        self._rate_limit = rate_limit
        self._request_limit = request_limit
        self._stream_limit = StreamLimit(max_concurrent=settings.max_concurrent_streams)
        self._stream_turns = CallerTurns()
        self._stopping = stopping
        self._encoders = Encoders()
        self._decoders = Decoders()
        self._body_reader = JsonBodyReader(
            max_bytes=settings.max_body_bytes, timeout_seconds=settings.body_timeout_seconds
        )

    def create(self, upstream: Upstream, rpc: Rpc, binding: Binding) -> Endpoint:
        """Return the endpoint of a binding.

        Raises:
            UnsupportedContract: the JSON mapping does not support a type, or the rpc is a client stream other than the
                CSV upload.

        """
        if rpc.client_streaming:
            return StreamLimitedEndpoint(self._upload(upstream, rpc, binding), self._stream_limit)
        bind = RequestBinder(binding, rpc.request, self._decoders)
        if rpc.is_download:
            call = upstream.server_stream_call(rpc)
            download = DownloadEndpoint(bind=bind, call=call, authorizer=self._authorizer, file_name=rpc.file_name)
            return StreamLimitedEndpoint(download, self._stream_limit)
        if rpc.server_streaming:
            return StreamLimitedEndpoint(self._server_stream(upstream, rpc, bind), self._stream_limit)
        endpoint = self._unary(upstream, rpc, binding, bind)
        # Rate limit only what needs no token and costs something, such as logins and registrations.
        needs_rate_limit = rpc.access.public and not rpc.is_safe
        return RateLimitedEndpoint(endpoint, self._rate_limit) if needs_rate_limit else endpoint

    def _unary(self, upstream: Upstream, rpc: Rpc, binding: Binding, bind: RequestBinder) -> Endpoint:
        return UnaryEndpoint(
            bind=bind,
            call=upstream.unary_call(rpc, timeout_seconds=self._settings.call_timeout_seconds),
            authorizer=self._authorizer,
            encode=self._encoders.get(rpc.response),
            body_reader=self._body_reader,
            limit=self._request_limit,
            is_safe=rpc.is_safe,
            is_public=rpc.access.public,
            success_status=rpc.success_status,
            location_prefix=location_prefix_of(rpc, self._rpcs),
            preconditions=Preconditions(binding, rpc.request),
            etag_builder=ETagBuilder(rpc.response),
        )

    def _server_stream(self, upstream: Upstream, rpc: Rpc, bind: RequestBinder) -> Endpoint:
        return ServerStreamEndpoint(
            bind=bind,
            call=upstream.server_stream_call(rpc),
            authorizer=self._authorizer,
            encode=self._encoders.get(rpc.response),
            body_reader=self._body_reader,
            keep_alive_seconds=self._settings.keep_alive_seconds,
            stopping=self._stopping,
            take_turn=self._stream_turns.next,
        )

    def _upload(self, upstream: Upstream, rpc: Rpc, binding: Binding) -> Endpoint:
        if rpc.full_name not in UPLOAD_RPCS:
            raise UnsupportedContract(f"{rpc.full_name}: a client stream needs an endpoint of its own")
        return UploadEndpoint(
            call=upstream.client_stream_call(rpc),
            authorizer=self._authorizer,
            encode=self._encoders.get(rpc.response),
            success_status=rpc.success_status,
            location_prefix=location_prefix_of(rpc, self._rpcs),
            max_bytes=self._settings.max_upload_bytes,
            body_reader=UploadBodyReader(
                max_bytes=self._settings.max_upload_bytes,
                idle_timeout_seconds=self._settings.upload_idle_timeout_seconds,
                min_bytes_per_second=self._settings.min_bytes_per_second,
                option_names=OPTION_NAMES,
            ),
            response_timeout_seconds=self._settings.upload_response_timeout_seconds,
            preconditions=Preconditions(binding, UPLOAD_OPTIONS),
        )
