"""Export of traces: at the end of a process, without a collector, and with wrong settings."""

import os
import signal
import socket
import subprocess
import sys
import time
from functools import partial

import httpx2 as httpx
import pytest

from tests.e2e.tracing.stack import log_lines, running_gateway
from tests.support.otlp_collector import Collector
from tests.support.waiting import wait_until


def has_refused(collector: Collector, count: int) -> bool:
    return collector.refused_batches >= count


def test_last_spans_are_sent_at_the_end(collector, traced_stack, user):
    """A process that stops sends its spans first."""
    settings = {"OTEL_BSP_SCHEDULE_DELAY": "60000", "OTEL_SERVICE_NAME": "short-lived"}
    with running_gateway(traced_stack, **settings) as (url, _):
        assert httpx.get(f"{url}/openapi.json").status_code == 200
        assert not [span for span in collector.spans if span.service == "short-lived"]
    assert [span.name for span in collector.spans if span.service == "short-lived"] == ["GET /openapi.json"]


def test_silent_collector_does_not_hold_a_process(traced_stack, user):
    """A collector that never responds slows no request, and delays the end of a process by two seconds at most."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_EXPORTER_OTLP_TIMEOUT": "60"}
        with running_gateway(traced_stack, **settings) as (gateway_url, process):
            headers = dict(user.http.headers)
            assert httpx.get(f"{gateway_url}/api/v1/tasks", headers=headers, timeout=30).status_code == 200
            started = time.monotonic()
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=30) == 0
            assert time.monotonic() - started < 15


def test_lost_collector_is_logged_once(collector, traced_stack, user):
    """Requests work without a collector, and each process logs its loss and its return once."""
    collector.is_refusing = True
    for refused in range(0, 10, 2):
        assert user.http.post("/api/v1/tasks", json={"title": "x"}).status_code == 201
        wait_until(partial(has_refused, collector, refused + 2))
    collector.stop()
    assert user.http.post("/api/v1/tasks", json={"title": "x"}).status_code == 201
    collector.is_refusing = False
    collector.start()
    wait_until(
        lambda: (
            user.http.post("/api/v1/tasks", json={"title": "x"}).status_code == 201
            and len(log_lines(traced_stack, "traces are exported again")) >= 2
        )
    )
    lines = log_lines(traced_stack, "can't export traces")
    services = [line["service"] for line in lines]
    assert sorted(set(services)) == sorted(services)
    assert {"gateway", "task_service"} <= set(services)
    assert all("Bad Request" in line["reason"] for line in lines)
    assert log_lines(traced_stack, "opentelemetry") == []


@pytest.mark.parametrize("program", ["gateway", "import_worker"])
def test_wrong_setting_is_one_line(traced_stack, program):
    """A wrong endpoint, protocol or sampler stops the start with one line each."""
    wrong = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4317",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        "OTEL_TRACES_SAMPLER": "sometimes",
        "OTEL_TRACES_SAMPLER_ARG": "7",
    }
    required = {
        "GATEWAY_LISTEN": "127.0.0.1:0",
        "GATEWAY_AUTH_TARGET": "127.0.0.1:1",
        "GATEWAY_TASKS_TARGET": "127.0.0.1:1",
        "IMPORT_WORKER_REDIS_URL": "redis://127.0.0.1:1",
        "IMPORT_WORKER_AUTH_TARGET": "127.0.0.1:1",
        "IMPORT_WORKER_TASKS_TARGET": "127.0.0.1:1",
        "IMPORT_WORKER_AUTH_CREDENTIAL": "import_worker.x",
    }
    command = [sys.executable, "-m", program]
    ended = subprocess.run(
        command, env={**os.environ, **required, **wrong}, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 2
    assert [line.partition(":")[0] for line in ended.stderr.splitlines()] == list(wrong)
