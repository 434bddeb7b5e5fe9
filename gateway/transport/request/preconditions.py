"""The request headers Idempotency-Key and If-Match (RFC 9110 section 13.1.1), which fill fields of the message."""

import re
from typing import Any

from google.protobuf.descriptor import Descriptor

from gateway.transcoding.http.header_fields import ETAG, IDEMPOTENCY_KEY, header_fields_of
from gateway.transcoding.http.http_rules import Binding
from gateway.transport.asgi import header_values
from gateway.transport.errors import http_errors
from gateway.transport.request.http_request import HttpRequest

# A weak tag counts as the strong one: a tag is a revision, and proxies that compress responses make it weak.
_ETAG = re.compile(rb'(?:W/)?"([\x21\x23-\x7e]*)"')
_EMPTY_ETAG = '""'
"""Value of the field for `If-Match: ""`. No revision equals it, and an empty field would be no precondition at all."""


class Preconditions:
    """Preconditions of one binding, compiled from its request type."""

    def __init__(self, binding: Binding, request: Descriptor) -> None:
        self._fields = header_fields_of(binding, request)
        self._is_read = binding.http_method == "GET"

    @property
    def has_idempotency_key(self) -> bool:
        """True if the response may be a stored one."""
        return self._fields.has_idempotency_key

    def has_key(self, request: Any) -> bool:
        """Return True if the client sent an idempotency key, so that the call may be repeated."""
        return self._fields.has_idempotency_key and bool(request.idempotency_key)

    def apply(self, request: Any, http_request: HttpRequest) -> bool:
        """Fill the fields of the message. Return True if If-Match filled the etag.

        Raises:
            HttpError: a header is malformed, or differs from the field in the body or the query string. Or the call is
                a write that can't check If-Match.

        """
        if self._fields.has_idempotency_key and (keys := _values(http_request, b"idempotency-key")):
            _fill(request, IDEMPOTENCY_KEY, _read_idempotency_key(keys), "idempotency-key")
        tags = _values(http_request, b"if-match")
        # "*" requires only that the resource exists, which the service checks anyway.
        if self._is_read or not tags or tags == {b"*"}:
            return False
        # A write must not ignore a precondition that the client relies on.
        if not self._fields.has_etag:
            raise http_errors.unsupported_if_match()
        message = getattr(request, self._fields.etag_parent) if self._fields.etag_parent else request
        _fill(message, ETAG, _read_etag(tags), "if-match")
        return True


def _values(http_request: HttpRequest, header: bytes) -> set[bytes]:
    return {value.strip() for value in header_values(http_request.headers, header)}


def _read_idempotency_key(keys: set[bytes]) -> str:
    if keys == {b""}:
        raise http_errors.empty_header("idempotency-key")
    if len(keys) > 1 or not (key := keys.pop()).isascii():
        raise http_errors.malformed_header("idempotency-key")
    return key.decode()


def _read_etag(tags: set[bytes]) -> str:
    etag = _ETAG.fullmatch(tags.pop()) if len(tags) == 1 else None
    if etag is None:
        raise http_errors.malformed_if_match()
    return etag[1].decode() or _EMPTY_ETAG


def _fill(message: Any, field: str, value: str, header: str) -> None:
    if getattr(message, field) not in {"", value}:
        raise http_errors.contradicting_header(header)
    setattr(message, field, value)
