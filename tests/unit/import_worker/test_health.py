"""The health check by the heartbeat file."""

import os

from import_worker.commands.health import find_problem
from import_worker.heartbeat import STALE_SECONDS


def test_fresh_heartbeat_is_healthy(tmp_path):
    beat = tmp_path / "heartbeat"
    beat.touch()
    os.utime(beat, (1000, 1000))
    assert find_problem(beat, now=1000 + STALE_SECONDS - 1) == ""


def test_stale_heartbeat_means_worker_hangs(tmp_path):
    beat = tmp_path / "heartbeat"
    beat.touch()
    os.utime(beat, (1000, 1000))
    assert "no heartbeat" in find_problem(beat, now=1000 + STALE_SECONDS)


def test_missing_heartbeat_means_not_ready(tmp_path):
    assert "not ready" in find_problem(tmp_path / "heartbeat", now=1000)


def test_check_without_heartbeat_setting_fails(tmp_path):
    assert "IMPORT_WORKER_HEARTBEAT_FILE" in find_problem(None, now=1000)
