"""Web servers with an empty page, so that a browser has pages of other origins than the gateway's."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


class _EmptyPage(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b'<!doctype html><title>Page</title><link rel="icon" href="data:,">'
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Write no log."""


@contextmanager
def serving_page() -> Iterator[str]:
    """Serve an empty page on a free port; yield its origin."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _EmptyPage)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
