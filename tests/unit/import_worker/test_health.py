"""What the heartbeat file says."""

import os

from import_worker.commands.health import find_problem
from import_worker.heartbeat import STALE_SECONDS


def test_a_fresh_heartbeat_is_health(tmp_path):
    beat = tmp_path / "heartbeat"
    beat.touch()
    os.utime(beat, (1000, 1000))
    assert find_problem(beat, now=1000 + STALE_SECONDS - 1) == ""


def test_a_stale_heartbeat_tells_a_worker_that_hangs(tmp_path):
    beat = tmp_path / "heartbeat"
    beat.touch()
    os.utime(beat, (1000, 1000))
    assert "no heartbeat" in find_problem(beat, now=1000 + STALE_SECONDS)


def test_no_heartbeat_is_a_worker_that_is_not_ready(tmp_path):
    assert "not ready" in find_problem(tmp_path / "heartbeat", now=1000)


def test_a_check_without_a_file_to_check_fails(tmp_path):
    assert "IMPORT_WORKER_HEARTBEAT_FILE" in find_problem(None, now=1000)
