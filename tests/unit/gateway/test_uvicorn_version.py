"""LimitedHttpProtocol extends uvicorn's HttpToolsProtocol and depends on its private state."""

import tomllib
from importlib.metadata import version
from pathlib import Path

CHECKED_VERSION = "0.54.0"
CHECKLIST = f"""
uvicorn is not {CHECKED_VERSION}, the version that protocol.py, shedding_protocol.py and
coalescing_transport.py in gateway/transport/http were checked with. Before you change
CHECKED_VERSION and the pin in pyproject.toml, compare uvicorn/protocols/http/httptools_impl.py of both versions:

1. data_received: ours replaces it. Does uvicorn's do more than cancel the keep-alive timer and feed the parser?
   Ours cancels that timer in on_message_begin and on_headers_complete. Is it still set in on_response_complete only?
2. The callbacks that ours extends: connection_made, connection_lost, on_message_begin, on_url,
   on_header, on_headers_complete, on_body, on_message_complete, _start_asgi_task. Does connection_lost still tell the
   last request only? eof_received must return None, so that a half-closed connection is closed.
3. The attributes that ours reads: parser, transport, client, loop, url, headers, pipeline, cycle, flow,
   expect_100_continue, _unset_keepalive_if_required. For a shed request uvicorn sees on_message_begin and the header
   callbacks only. Is cycle still the previous one then, or None?
4. The attributes of cycle: scope, response_started, response_complete, keep_alive, disconnected, message_event. After
   disconnected is True, send() must drop the application's response.
5. on_headers_complete and on_message_complete: uvicorn's must not see a request whose parser.should_upgrade() is True.
   HttpParserUpgrade must carry the offset of the first byte after the head. The new parser in _parse must be made as
   uvicorn makes its own.
6. An HttpError from a callback must still be the __context__ of httptools' error.
7. The methods of the transport that uvicorn calls: CoalescingTransport must have all of them. Are the head and
   the body of a response still two calls of write()?

Then run test_header_limits.py, test_upgrade.py, test_connection_limits.py and test_process.py in
tests/integration/gateway.
"""


def test_uvicorn_is_the_checked_version():
    assert version("uvicorn") == CHECKED_VERSION, CHECKLIST


def test_pyproject_pins_the_checked_version():
    pyproject = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())
    pins = [line for line in pyproject["dependency-groups"]["gateway"] if isinstance(line, str) and "uvicorn" in line]
    assert pins == [f"uvicorn=={CHECKED_VERSION}"], CHECKLIST
