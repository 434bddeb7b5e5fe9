"""Framings of a stream of messages: server-sent events and newline-delimited JSON."""

from typing import Any, ClassVar

from chassis.rpc.request_context import request_id
from gateway.transcoding.json_codec.encoder import to_json
from gateway.transport.errors.http_errors import HttpError


class ServerSentEvents:
    """Server-sent events (WHATWG HTML section 9.2). A comment keeps the connection alive."""

    media_type: ClassVar = b"text/event-stream"
    keep_alive: ClassVar = b": keep-alive\n\n"

    def format_message(self, message: dict[str, Any]) -> bytes:
        """Return an event. Its id is the cursor of the message, which browsers send as Last-Event-ID on reconnect."""
        cursor = message.get("cursor")
        event_id = b"id: %b\n" % cursor.encode() if cursor else b""
        return b"%bdata: %b\n\n" % (event_id, to_json(message))

    def format_error(self, error: HttpError) -> bytes:
        """Return the last event of a stream that failed."""
        return b"event: error\ndata: %b\n\n" % error.to_json(request_id())


class NewlineDelimitedJson:
    """One JSON object a line: {"result": ...}, or {"error": ...} as the last one. An empty line keeps alive."""

    media_type: ClassVar = b"application/x-ndjson"
    keep_alive: ClassVar = b"\n"

    def format_message(self, message: dict[str, Any]) -> bytes:
        """Return a line."""
        return to_json({"result": message}) + b"\n"

    def format_error(self, error: HttpError) -> bytes:
        """Return the last line of a stream that failed."""
        return error.to_json(request_id()) + b"\n"


Framing = ServerSentEvents | NewlineDelimitedJson


def select_framing(accept: bytes) -> Framing:
    """Return the framing for an Accept header: server-sent events unless it names application/x-ndjson."""
    return NewlineDelimitedJson() if NewlineDelimitedJson.media_type in accept.lower() else ServerSentEvents()
