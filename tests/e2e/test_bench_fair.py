"""`make bench-fair` at a tiny scale. It asserts no figure, only that every figure is there."""

import json
import subprocess
import sys
from pathlib import Path

from tests.bench.fair.loads import IMPORT_LOADS
from tests.bench.fair.report import IDLE_AFTER, IDLE_BEFORE, TINY_IMPORT, Measurement, goal_rows, idle_spread
from tests.bench.fair.victim import CALLS

SOME_LOADS = ("search", "watches", "two imports and a hundred")
"""One of each way to generate a load."""


def test_bench_measures_every_load(tmp_path: Path):
    """Each load has the latencies of the other caller, the CPU of each process, and what the first caller received."""
    file = tmp_path / "bench.json"
    options = ("--tasks", "1000", "--seconds", "0.5", "--rate", "10", "--json", str(file), "--loads", *SOME_LOADS)
    ended = subprocess.run(
        [sys.executable, "-m", "tests.bench.fair", *options], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    report = json.loads(file.read_text())
    assert report["loads"].keys() == {IDLE_BEFORE, *SOME_LOADS, IDLE_AFTER}
    for load, measured in report["loads"].items():
        assert set(CALLS) <= measured["ms"].keys()
        assert (TINY_IMPORT in measured["ms"]) == (load in {IDLE_BEFORE, *IMPORT_LOADS, IDLE_AFTER})
        assert all(calls == 5 for call, calls in measured["calls"].items() if call in CALLS)
        assert measured["failures"] == {}
        assert {"gateway", "task_service", "postgres", "generator", "other caller"} <= measured["cores"].keys()
        received = measured["received_a_second"]
        assert not received if load in {IDLE_BEFORE, IDLE_AFTER} else any(received.values())
    assert bool(report["rows"]) == report["is_quiet"]
    assert report["is_quiet"] or "too busy to tell" in ended.stdout


def measurement(seconds: float) -> Measurement:
    return Measurement({call: [seconds] * 10 for call in CALLS}, {}, 0.0, {}, {})


def test_loads_compare_with_both_idle_measurements():
    """The ratio compares with the 99th percentile of all idle calls, before and after the loads."""
    found = {IDLE_BEFORE: measurement(0.002), "search": measurement(0.009), IDLE_AFTER: measurement(0.003)}
    rows = list(goal_rows(found))
    assert [row.operation for row in rows] == [f"search: {call}" for call in CALLS]
    assert {(row.ratio, row.is_met) for row in rows} == {(3.0, True)}
    assert round(idle_spread(found), 3) == 1.5
