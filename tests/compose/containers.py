"""Containers of a compose project: look into them, and kill their processes."""

import os
import signal
import subprocess

import pytest

from tests.support.waiting import wait_until


def inspect(container: str, template: str) -> str:
    command = ["docker", "inspect", "-f", template, container]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def kill_process(container: str) -> None:
    """Kill the first process of a container. `docker kill` would count as a stop by hand, which ends the restarts."""
    try:
        os.kill(int(inspect(container, "{{.State.Pid}}")), signal.SIGKILL)
    except PermissionError:
        pytest.skip("needs the rights to kill a container's process")


def restarts(container: str) -> int:
    return int(inspect(container, "{{.RestartCount}}"))


def kill_process_and_wait(container: str) -> None:
    """Kill the first process of a container, and return when the restart policy has brought it back."""
    before = restarts(container)
    kill_process(container)
    wait_until(lambda: restarts(container) > before, seconds=60)
    wait_until(lambda: inspect(container, "{{.State.Health.Status}}") == "healthy", seconds=120)


def read_metric(container: str, sample: str) -> float:
    """Return the value of a sample that a container serves for Prometheus, or 0 if it has none yet."""
    script = 'import urllib.request as u; print(u.urlopen("http://127.0.0.1:9100/metrics").read().decode())'
    command = ["docker", "exec", container, "python", "-c", script]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    values = [line.rpartition(" ")[2] for line in text.splitlines() if line.startswith(f"{sample} ")]
    return float(values[0]) if values else 0.0
