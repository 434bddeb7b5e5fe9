"""The traced stack: one more gateway in front of it, and its logs."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2 as httpx

from tests.support.stack import LocalStack
from tests.support.waiting import wait_until


@contextmanager
def running_gateway(stack: LocalStack, **settings: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run one more gateway in front of the stack's services; yield its URL and its process."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port, descriptor = listener.getsockname()[1], listener.fileno()
        environment = {
            "GATEWAY_LISTEN": f"127.0.0.1:{port}",
            "GATEWAY_LISTEN_FD": str(descriptor),
            "GATEWAY_AUTH_TARGET": stack.endpoints["internal_auth_target"],
            "GATEWAY_TASKS_TARGET": stack.endpoints["internal_tasks_target"],
            **stack.settings,
            **settings,
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "gateway"], env={**os.environ, **environment}, pass_fds=[descriptor]
        )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: is_healthy(url))
        yield url, process
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0


def is_healthy(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def log_lines(stack: LocalStack, text: str) -> list[dict[str, Any]]:
    files = sorted((stack.data_dir / "logs").glob("*.log"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines() if text in line]
