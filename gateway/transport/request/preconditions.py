"""The request headers Idempotency-Key and If-Match (RFC 9110 section 13.1.1), which fill fields of the message."""

import re
from typing import Any

from google.protobuf.descriptor import Descriptor

from gateway.transcoding.http.header_fields import ETAG, IDEMPOTENCY_KEY, header_fields_of
from gateway.transcoding.http.http_rules import Binding
from gateway.transport.errors import http_errors
from gateway.transport.request.http_request import HttpRequest

_STRONG_ETAG = re.compile(rb'"([\x21\x23-\x7e]*)"')


class Preconditions:
    """Preconditions of one binding, compiled from its request type."""

    def __init__(self, binding: Binding, request: Descriptor) -> None:
        self._fields = header_fields_of(binding, request)

    def apply(self, request: Any, http_request: HttpRequest) -> bool:
        """Fill the fields of the message. Return True if If-Match filled the etag.

        Raises:
            HttpError: a header is malformed, or differs from the field in the body or the query string.

        """
        if self._fields.has_idempotency_key and (key := _single_value(http_request, "idempotency-key")):
            _fill(request, IDEMPOTENCY_KEY, key, "idempotency-key")
        if not self._fields.has_etag:
            return False
        if_match = http_request.header(b"if-match").strip()
        # "*" requires only that the resource exists, which the service checks anyway.
        if not if_match or if_match == b"*":
            return False
        etag = _STRONG_ETAG.fullmatch(if_match)
        if etag is None:
            raise http_errors.malformed_if_match()
        message = getattr(request, self._fields.etag_parent) if self._fields.etag_parent else request
        _fill(message, ETAG, etag[1].decode(), "if-match")
        return True


def _single_value(http_request: HttpRequest, header: str) -> str:
    values = {value for name, value in http_request.headers if name == header.encode()}
    if len(values) > 1:
        raise http_errors.malformed_header(header)
    try:
        return next(iter(values), b"").decode("ascii")
    except UnicodeDecodeError:
        raise http_errors.malformed_header(header) from None


def _fill(message: Any, field: str, value: str, header: str) -> None:
    if getattr(message, field) not in {"", value}:
        raise http_errors.contradicting_header(header)
    setattr(message, field, value)
