"""Imports while everything around them dies: nothing is lost, nothing counts twice, and no file holds up the others.

FAULT_SEED chooses the schedule, FAULT_IMPORTS how many files are uploaded at the least: `make test-faults` runs a long
schedule, `make test` a short one.
"""

import os
import random
import secrets
import subprocess
import sys
import threading

import pytest

from tests.faults.faults import FAULTS
from tests.faults.invariants import Observer, look
from tests.faults.system import FaultySystem
from tests.faults.tracebacks import tracebacks_since, where_logs_end
from tests.faults.workload import Workload
from tests.stacks import until

SEED = int(os.environ.get("FAULT_SEED") or secrets.randbelow(10**6))
IMPORTS = int(os.environ.get("FAULT_IMPORTS", "16"))
HEALED_SECONDS = 150
"""A file that kills its workers takes a minute by itself: who gets no further is woken for less and less often."""


@pytest.mark.timeout(120 + IMPORTS * 20)
def test_whatever_dies_every_row_of_every_file_counts_exactly_once(system: FaultySystem):
    chance = random.Random(SEED)  # noqa: S311 - a schedule that can be repeated
    workload = Workload(system, [system.stack.api.person() for _ in range(3)], chance)
    with Observer(workload) as observer:
        for name in _schedule(chance):
            workload.upload()
            threading.Event().wait(chance.random())
            print(f"seed {SEED}: {name}", flush=True)  # noqa: T201 - the schedule
            FAULTS[name](system, workload)
            if chance.random() < 0.7:
                system.settle()
        system.settle()
        until(lambda: _all_settled(workload), seconds=HEALED_SECONDS)
    assert observer.objections == [], f"seed {SEED}"
    assert observer.looks > 0
    seen = {one.id: one for one in look(system, _names(workload))}
    for import_id, file in workload.answered.items():
        seen.pop(import_id).assert_has_ended_well(file)
    # An upload whose answer was lost has become a whole import, or none.
    for one in seen.values():
        if one.state != "uploading":
            one.assert_has_ended_well(workload.unanswered[one.file_name])


@pytest.mark.timeout(120 + HEALED_SECONDS)
def test_whatever_died_history_stands_under_one_chain_of_seals(system: FaultySystem):
    system.settle()
    events = (
        "SELECT (SELECT count(*) FROM tasks.task_events) - coalesce(max(total_events), 0) FROM tasks.history_blocks"
    )
    until(lambda: system.stack.sql(events) == [(0,)], seconds=HEALED_SECONDS)
    local = [sys.executable, "-m", "deploy.local", "command", "--data-dir", str(system.stack.data_dir)]
    verified = subprocess.run([*local, "task_service.commands.verify"], capture_output=True, text=True, check=False)
    assert verified.returncode == 0, verified.stderr
    assert verified.stdout.endswith(" 0 not yet sealed.\n")


def test_a_healed_system_works_without_a_complaint(system: FaultySystem):
    system.settle()
    ends = where_logs_end(system.logs())
    workload = Workload(system, [system.stack.api.person()], random.Random(SEED))  # noqa: S311 - as above
    workload.upload()
    until(lambda: _all_settled(workload))
    assert tracebacks_since(ends) == []


def _schedule(chance: random.Random) -> list[str]:
    """Every fault in turn, in an order of its own each time round."""
    schedule: list[str] = []
    while len(schedule) < IMPORTS:
        schedule += chance.sample(sorted(FAULTS), k=len(FAULTS))
    return schedule


def _names(workload: Workload) -> list[str]:
    return [file.name for file in [*workload.answered.values(), *workload.unanswered.values()]]


def _all_settled(workload: Workload) -> bool:
    """Nothing is on its way any more. What never became an import is not waited for: it is swept away later."""
    under_way = "SELECT count(*) FROM tasks.imports WHERE file_name = ANY(%s) AND state IN ('queued', 'running')"
    return workload.system.stack.sql(under_way, _names(workload)) == [(0,)]
