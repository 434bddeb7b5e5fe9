"""The lines of the gateway's access log."""

import structlog
from structlog.testing import capture_logs


def captured_logs():
    return capture_logs(processors=[structlog.contextvars.merge_contextvars])


def access_lines(logs):
    """Return the access log's lines of the fake services' routes."""
    return [line for line in logs if line["event"] == "request" and line["route"].startswith("/api/")]
