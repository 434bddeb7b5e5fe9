"""Logs: one JSON line for each event, also of libraries, without secrets."""

import json
import subprocess
import sys

PROGRAM = """
import logging, structlog
from chassis.logs import configure_logging
from chassis.rpc.request_context import enter_request
configure_logging("info", "example")
log = structlog.get_logger("example")
log.debug("unheard")
enter_request("req-42")
log.info("hello", task="1", access_token="canary-1", token_id="t-1")
logging.getLogger("library").warning("from %s", "a library")
logging.getLogger("grpc._cython.cygrpc").error("ExecuteBatchError raised in core by servicer method [%s]", "/a/B")
def fail(password):
    raise ValueError("wrong")
try:
    fail("canary-2")
except ValueError:
    log.exception("failed")
"""

POSTGRES = """
import structlog
from chassis.logs import configure_logging
configure_logging("info", "example")
def error_with_detail():
    return ValueError('new row violates check "named"\\nDETAIL:  Failing row contains (canary, $argon2id$canary).')
try:
    try:
        raise error_with_detail()
    except ValueError as error:
        raise ExceptionGroup("both", [error_with_detail(), ExceptionGroup("inner", [error_with_detail()])]) from error
except ExceptionGroup:
    structlog.get_logger().exception("failed")
"""


def test_log_line_is_json_with_context():
    """Every log line is JSON with service, level, logger and request id."""
    completed = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in completed.stderr.splitlines()]
    assert [(line["event"], line["logger"], line["level"]) for line in lines] == [
        ("hello", "example", "info"),
        ("from a library", "library", "warning"),
        ("failed", "example", "error"),
    ]
    assert {line["service"] for line in lines} == {"example"}
    assert {line["request_id"] for line in lines} == {"req-42"}
    # The id of a token is no secret.
    assert lines[0]["token_id"] == "t-1"
    assert lines[2]["exception"][0]["exc_type"] == "ValueError"


def test_log_hides_secret_fields_and_local_variables():
    completed = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert "canary" not in completed.stderr + completed.stdout


def test_log_hides_the_row_in_a_postgres_error():
    completed = subprocess.run([sys.executable, "-c", POSTGRES], capture_output=True, text=True, check=True)
    assert completed.stderr.count('violates check \\"named\\"') == 3
    assert "canary" not in completed.stderr + completed.stdout
