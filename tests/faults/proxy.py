"""A TCP proxy that can drop bytes."""

import selectors
import socket
import threading
from contextlib import suppress
from enum import Enum
from typing import Self

POLL_SECONDS = 0.05
CHUNK_BYTES = 64 * 1024


class Mode(Enum):
    """Treatment of received bytes."""

    FORWARD = "forward"
    """Forward them."""
    DROP_RESPONSES = "drop responses"
    """Drop the server's bytes, and so its acknowledgements of what it has committed."""
    REFUSE = "refuse"
    """Close every new connection at once, as if the server were down. `cut` closes the open ones."""
    HALF_OPEN = "half open"
    """Drop all bytes without closing a connection, as when a machine vanishes from the network."""


class TcpProxy:
    """Proxy on a free port in front of a server. One thread serves all connections."""

    def __init__(self, host: str, port: int) -> None:
        self._upstream = (host, port)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._selector = selectors.DefaultSelector()
        self._peers: dict[socket.socket, socket.socket] = {}
        self._server_side: set[socket.socket] = set()
        self._silent: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._closing = False
        self.mode = Mode.FORWARD
        self._thread = threading.Thread(target=self._serve, name="proxy", daemon=True)

    @property
    def port(self) -> int:
        port: int = self._listening.getsockname()[1]
        return port

    def __enter__(self) -> Self:
        self._selector.register(self._listening, selectors.EVENT_READ)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing = True
        self._thread.join()
        self.cut()
        self._selector.close()
        self._listening.close()

    def cut(self) -> None:
        """Close every connection on both sides, as a router does that loses its state."""
        with self._lock:
            for connection in list(self._peers):
                self._close(connection)

    def silence(self) -> None:
        """Drop all further bytes of the open connections, without closing one. New connections work."""
        with self._lock:
            self._silent.update(self._peers)

    def _serve(self) -> None:
        while not self._closing:
            for key, _ in self._selector.select(POLL_SECONDS):
                with self._lock:
                    if key.fileobj is self._listening:
                        self._accept()
                    elif key.fileobj in self._peers:
                        self._forward(self._socket(key))

    @staticmethod
    def _socket(key: selectors.SelectorKey) -> socket.socket:
        assert isinstance(key.fileobj, socket.socket)
        return key.fileobj

    def _accept(self) -> None:
        client, _ = self._listening.accept()
        if self.mode is Mode.REFUSE:
            client.close()
            return
        try:
            server = socket.create_connection(self._upstream, timeout=5)
        except OSError:
            client.close()
            return
        for connection, other in ((client, server), (server, client)):
            # A peer that does not read must not block the others for ever.
            connection.settimeout(5)
            self._peers[connection] = other
            self._selector.register(connection, selectors.EVENT_READ)
        self._server_side.add(server)

    def _forward(self, source: socket.socket) -> None:
        try:
            data = source.recv(CHUNK_BYTES)
            if not data:
                self._close(source)
            elif source in self._silent:
                return
            elif self.mode is Mode.FORWARD or (self.mode is Mode.DROP_RESPONSES and source not in self._server_side):
                self._peers[source].sendall(data)
        except OSError:
            self._close(source)

    def _close(self, connection: socket.socket) -> None:
        for end in (connection, self._peers.get(connection)):
            if end is not None and self._peers.pop(end, None) is not None:
                self._server_side.discard(end)
                self._silent.discard(end)
                with suppress(KeyError, ValueError):
                    self._selector.unregister(end)
                end.close()
