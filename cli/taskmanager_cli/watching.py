"""Streams of messages that are opened again when they break."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from taskmanager_cli.client import Client
from taskmanager_cli.errors import CliError, ConnectionLost, Refused, ServerFailed, ServerUnreachable

_MAX_RECONNECTS = 30
_MAX_PAUSE_SECONDS = 5


def watch_stream(client: Client, path: str, params: Callable[[], Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the messages of a stream, without an end.

    A stream that breaks, or that the server ends, is opened again after a pause, with the parameters of that moment.
    The error is raised after 30 attempts without a message.
    """
    reconnects = 0
    while True:
        failure: CliError = ConnectionLost(url=client.url, reason="the stream ended early")
        try:
            for message in _messages(client, path, params()):
                reconnects = 0
                yield message
        except (ConnectionLost, ServerFailed, ServerUnreachable) as error:
            failure = error
        except Refused as error:
            if not error.is_server_error:
                raise
            failure = error
        reconnects += 1
        if reconnects > _MAX_RECONNECTS:
            raise failure
        time.sleep(min(reconnects, _MAX_PAUSE_SECONDS))


def _messages(client: Client, path: str, params: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the messages of one stream: newline-delimited JSON. Empty lines keep the connection alive."""
    with client.stream(path, params, accept="application/x-ndjson") as response:
        for line in response.iter_lines():
            message = json.loads(line) if line.strip() else {}
            if "error" in message:
                raise Refused(message["error"], url=client.url)
            if "result" in message:
                yield message["result"]
