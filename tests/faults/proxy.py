"""A TCP proxy that can lose what passes through it."""

import selectors
import socket
import threading
from contextlib import suppress
from enum import Enum
from typing import Self

LOOK_SECONDS = 0.05
PIECE = 64 * 1024


class Mode(Enum):
    """What happens to bytes that arrive."""

    PASS = "pass"
    """They are handed on."""
    DEAF = "deaf"
    """What the server says is lost: its answers, and so the acknowledgement of what it has committed."""
    HALF_OPEN = "half open"
    """All is lost, and nobody is told: as when a machine vanishes from the network."""


class TcpProxy:
    """Listens on a port of its own and passes connections on to a server's. One thread serves them all."""

    def __init__(self, host: str, port: int) -> None:
        self._upstream = (host, port)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._selector = selectors.DefaultSelector()
        self._peers: dict[socket.socket, socket.socket] = {}
        self._from_server: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._closing = False
        self.mode = Mode.PASS
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
        """Ends every connection, on both sides, as a router does that forgets what it knew."""
        with self._lock:
            for one in list(self._peers):
                self._forget(one)

    def _serve(self) -> None:
        while not self._closing:
            for key, _ in self._selector.select(LOOK_SECONDS):
                with self._lock:
                    if key.fileobj is self._listening:
                        self._accept()
                    elif key.fileobj in self._peers:
                        self._pass_on(self._socket(key))

    @staticmethod
    def _socket(key: selectors.SelectorKey) -> socket.socket:
        assert isinstance(key.fileobj, socket.socket)
        return key.fileobj

    def _accept(self) -> None:
        client, _ = self._listening.accept()
        try:
            server = socket.create_connection(self._upstream, timeout=5)
        except OSError:
            client.close()
            return
        for one, other in ((client, server), (server, client)):
            # A peer that does not read must not hold up the others for ever.
            one.settimeout(5)
            self._peers[one] = other
            self._selector.register(one, selectors.EVENT_READ)
        self._from_server.add(server)

    def _pass_on(self, source: socket.socket) -> None:
        try:
            data = source.recv(PIECE)
            if not data:
                self._forget(source)
            elif self.mode is Mode.PASS or (self.mode is Mode.DEAF and source not in self._from_server):
                self._peers[source].sendall(data)
        except OSError:
            self._forget(source)

    def _forget(self, one: socket.socket) -> None:
        for end in (one, self._peers.get(one)):
            if end is not None and self._peers.pop(end, None) is not None:
                self._from_server.discard(end)
                with suppress(KeyError, ValueError):
                    self._selector.unregister(end)
                end.close()
