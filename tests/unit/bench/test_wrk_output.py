"""Figures that wrk prints as text."""

import pytest

from tests.bench.peers.wrk import Load, parse_output

SUCCESS = """\
Running 2s test @ http://127.0.0.1:8080/api/v1/tasks
  1 threads and 8 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     5.23ms    1.02ms  20.11ms   90.11%
    Req/Sec     1.53k   120.00     1.70k    75.00%
  3061 requests in 2.00s, 1.55MB read
Requests/sec:   1529.38
Transfer/sec:    792.66KB
"""


def test_rate_and_number_of_requests():
    assert parse_output(SUCCESS) == Load(rate=1529.38, requests=3061, errors=0)


def test_other_statuses_are_errors():
    output = SUCCESS.replace("Requests/sec", "  Non-2xx or 3xx responses: 17\nRequests/sec")
    assert parse_output(output).errors == 17


def test_failed_connections_are_errors():
    socket_errors = "  Socket errors: connect 1, read 20, write 300, timeout 4000\n"
    output = SUCCESS.replace("Requests/sec", f"{socket_errors}  Non-2xx or 3xx responses: 50000\nRequests/sec")
    assert parse_output(output).errors == 54321


def test_another_text_is_refused():
    with pytest.raises(ValueError, match="no output of wrk"):
        parse_output("unable to connect to 127.0.0.1:1 Connection refused")
