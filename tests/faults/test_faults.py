"""Imports during faults: no row is lost, no row counts twice, and no file blocks the others.

FAULT_SEED chooses the schedule, FAULT_IMPORTS the minimum number of uploads. `make test-faults` runs a long schedule,
`make test` a short one.
"""

import os
import random
import secrets
import subprocess
import sys
import threading

import pytest

from tests.faults.faults import FAULTS
from tests.faults.invariants import Observer, snapshot_imports
from tests.faults.system import SystemUnderTest
from tests.faults.tracebacks import log_sizes, tracebacks_since
from tests.faults.workload import Workload
from tests.support.replay import assert_events_give_every_task
from tests.support.waiting import wait_until

SEED = int(os.environ.get("FAULT_SEED") or secrets.randbelow(10**6))
IMPORTS = int(os.environ.get("FAULT_IMPORTS", "16"))
RECOVERY_SECONDS = 150
"""A crashing file takes a minute: an import without progress is dispatched less and less often."""


@pytest.mark.timeout(120 + IMPORTS * 20)
def test_every_row_counts_exactly_once_during_faults(system: SystemUnderTest):
    """Every process can die at any moment. Every row of every file still counts exactly once."""
    rng = random.Random(SEED)  # noqa: S311 - a schedule that can be repeated
    workload = Workload(system, [system.stack.api.new_user() for _ in range(3)], rng)
    with Observer(workload) as observer:
        for name in _schedule(rng):
            workload.upload()
            threading.Event().wait(rng.random())
            print(f"seed {SEED}: {name}", flush=True)  # noqa: T201 - the schedule
            FAULTS[name](system, workload)
            if rng.random() < 0.7:
                system.wait_until_healthy()
        system.wait_until_healthy()
        wait_until(lambda: _all_ended(workload), seconds=RECOVERY_SECONDS)
    assert observer.violations == [], f"seed {SEED}"
    assert observer.snapshots > 0
    snapshots_by_id = {snapshot.id: snapshot for snapshot in snapshot_imports(system, _names(workload))}
    for import_id, file in workload.accepted.items():
        snapshots_by_id.pop(import_id).assert_completed(file)
    # An upload whose response was lost has become a whole import or none.
    for snapshot in snapshots_by_id.values():
        if snapshot.state != "uploading":
            snapshot.assert_completed(workload.unconfirmed[snapshot.file_name])


@pytest.mark.timeout(120 + RECOVERY_SECONDS)
def test_history_is_one_hash_chain_after_faults(system: SystemUnderTest):
    system.wait_until_healthy()
    events = (
        "SELECT (SELECT count(*) FROM tasks.task_events) - coalesce(max(total_events), 0) FROM tasks.history_blocks"
    )
    wait_until(lambda: system.stack.sql(events) == [(0,)], seconds=RECOVERY_SECONDS)
    local = [sys.executable, "-m", "deploy.local", "command", "--data-dir", str(system.stack.data_dir)]
    verified = subprocess.run([*local, "task_service.commands.verify"], capture_output=True, text=True, check=False)
    assert verified.returncode == 0, verified.stderr
    assert verified.stdout.endswith(" 0 not yet sealed.\n")


def test_replayed_events_give_every_task_after_faults(system: SystemUnderTest):
    system.wait_until_healthy()
    assert assert_events_give_every_task(system.stack.endpoints["postgres_url"]) > 0


def test_healed_system_logs_no_errors(system: SystemUnderTest):
    system.wait_until_healthy()
    sizes = log_sizes(system.logs())
    workload = Workload(system, [system.stack.api.new_user()], random.Random(SEED))  # noqa: S311 - as above
    workload.upload()
    wait_until(lambda: _all_ended(workload))
    assert tracebacks_since(sizes) == []


def _schedule(rng: random.Random) -> list[str]:
    """Return every fault once in random order, again and again, up to the number of imports."""
    schedule: list[str] = []
    while len(schedule) < IMPORTS:
        schedule += rng.sample(sorted(FAULTS), k=len(FAULTS))
    return schedule


def _names(workload: Workload) -> list[str]:
    return [file.name for file in [*workload.accepted.values(), *workload.unconfirmed.values()]]


def _all_ended(workload: Workload) -> bool:
    """Check that no import is queued or running. Uploads that never became an import are removed later."""
    in_progress = "SELECT count(*) FROM tasks.imports WHERE file_name = ANY(%s) AND state IN ('queued', 'running')"
    return workload.system.stack.sql(in_progress, _names(workload)) == [(0,)]
