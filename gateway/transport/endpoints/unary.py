"""Endpoint of unary rpcs."""

import asyncio
from contextlib import nullcontext
from typing import Any

from grpc import aio

from chassis.rpc.auth import STREAM_CHECK_SECONDS
from gateway.clients.retrying_call import RetryingCall
from gateway.transcoding.http.request_binder import RequestBinder
from gateway.transcoding.json_codec.encoder import Encode, to_json
from gateway.transport.asgi import Send
from gateway.transport.errors.grpc_errors import http_error_from
from gateway.transport.errors.http_errors import HttpError
from gateway.transport.request.authorization import CallAuthorizer
from gateway.transport.request.concurrency_limit import ConcurrencyLimit, caller_key
from gateway.transport.request.http_request import HttpRequest
from gateway.transport.request.json_body import JsonBodyReader
from gateway.transport.request.preconditions import Preconditions
from gateway.transport.responses.etag import ETagBuilder, etag_matches
from gateway.transport.responses.replay import replay_header
from gateway.transport.responses.send import (
    PRIVATE_REVALIDATE,
    PUBLIC_REVALIDATE,
    location_header,
    send_not_modified,
    send_response,
)


class UnaryEndpoint:
    """Endpoint of one binding of one unary rpc."""

    def __init__(
        self,
        *,
        bind: RequestBinder,
        call: RetryingCall,
        authorizer: CallAuthorizer,
        encode: Encode,
        body_reader: JsonBodyReader,
        limit: ConcurrencyLimit,
        is_safe: bool,
        is_public: bool,
        success_status: int,
        location_prefix: str | None,
        preconditions: Preconditions,
        etag_builder: ETagBuilder,
    ) -> None:
        self._bind = bind
        self._call = call
        self._authorizer = authorizer
        self._encode = encode
        self._body_reader = body_reader
        self._limit = limit
        self._is_safe = is_safe
        self._is_public = is_public
        self._cache_control = PUBLIC_REVALIDATE if is_public else PRIVATE_REVALIDATE
        self._success_status = success_status
        self._location_prefix = location_prefix
        self._preconditions = preconditions
        self._etag_builder = etag_builder

    async def __call__(self, http_request: HttpRequest, send: Send) -> None:
        body = await self._body_reader.read(http_request) if self._bind.has_body else b""
        request = self._bind(http_request.path_values, http_request.query, body)
        is_etag_from_header = self._preconditions.apply(request, http_request)
        # A write goes on without its client, which may have left only because it could not wait.
        with http_request.disconnect.cancel_on_disconnect() if self._is_safe else nullcontext():
            # A slot is held for the work of the services only, so that a slow client of either body holds none.
            async with self._limit.slot(caller_key(http_request.headers), self):
                response, call = await self._call_with_renewal(
                    request, http_request, is_etag_from_header=is_etag_from_header
                )
        body = to_json(self._encode(response))
        headers = [*location_header(self._location_prefix, response)]
        if self._preconditions.has_idempotency_key:
            headers += await replay_header(call)
        if etag := self._etag_builder.build(response, body, use_digest=self._is_safe):
            headers.append((b"etag", etag))
            # After a write the ETag is only for a later If-Match. The response must not be cached.
            if self._is_safe:
                headers.append(self._cache_control)
                if etag_matches(http_request.header(b"if-none-match"), etag):
                    await send_not_modified(send, headers)
                    return
        await send_response(send, self._success_status, body, headers=headers)

    async def _call_with_renewal(
        self, request: Any, http_request: HttpRequest, *, is_etag_from_header: bool
    ) -> tuple[Any, aio.Call]:
        """Return the response and its call; repeat the call once if the JWT of a personal access token has ended.

        A service checks the token before it begins, and later every STREAM_CHECK_SECONDS. A call that was refused
        earlier than that has therefore changed nothing. A slower one may have, and is not repeated.
        """
        loop = asyncio.get_running_loop()
        started_at = loop.time()
        try:
            return await self._call_as_caller(request, http_request, is_etag_from_header=is_etag_from_header)
        except HttpError as error:
            has_not_begun = loop.time() - started_at < STREAM_CHECK_SECONDS
            if not (has_not_begun and self._authorizer.can_renew(http_request, error)):
                raise
        return await self._call_as_caller(request, http_request, is_etag_from_header=is_etag_from_header)

    async def _call_as_caller(
        self, request: Any, http_request: HttpRequest, *, is_etag_from_header: bool
    ) -> tuple[Any, aio.Call]:
        authorized = self._authorizer.authorize(
            http_request, is_public=self._is_public, needed_seconds=self._call.timeout_seconds
        )
        is_repeatable = self._is_safe or self._preconditions.has_key(request)
        async with authorized as metadata:
            try:
                return await self._call(request, metadata, is_repeatable=is_repeatable)
            except aio.AioRpcError as error:
                raise http_error_from(
                    error, self._bind.client_field_path, is_etag_from_header=is_etag_from_header
                ) from error
