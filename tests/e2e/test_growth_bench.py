"""The bench of large tables, with few tasks: it asks for everything that is documented, and its verdicts are honest."""

from pathlib import Path

import pytest
from rich.console import Console
from taskmanager.tasks.v1 import task_service_pb2

from tests.bench.growth import report
from tests.bench.growth.cases import LARGE, SMALL, Case
from tests.bench.growth.dataset import Dataset
from tests.bench.growth.measurement import Measurement, Response
from tests.bench.growth.queries import FEW, MANY, NONE, Subject, all_queries
from tests.bench.growth.report import Floor, Results, summary
from tests.bench.growth.run import Options, measure_queries

TASKS = 2000
NOT_A_FILTER = {"owner_id", "page_token"}
"""Fields that every caller sets differently."""


def milliseconds(value: float) -> Measurement:
    return Measurement((value / 1000,), Response(50, has_more=True))


def floor(*values: float) -> Floor:
    return Floor([milliseconds(value) for value in values])


async def never() -> Response:
    raise NotImplementedError


def case(owner: str) -> Case:
    return Case("default list", MANY, "user", owner, never)


def test_every_documented_filter_is_measured():
    """A new field of ListTasksRequest needs a query in the bench."""
    subject = Subject("small", "00000000-0000-7000-8000-000000000001", ("x",), "00000000-0000-7000-8000-000000000002")
    used = {name for query in all_queries(Dataset.new(TASKS), subject) for name in query.fields}
    documented = {field.name for field in task_service_pb2.ListTasksRequest.DESCRIPTOR.fields}
    assert used == documented - NOT_A_FILTER


def test_busy_machine_gets_no_verdict():
    """If the default list itself varies by more than 30 %, no query is called met or not met."""
    results = Results(floor(10, 14, 11))
    results.measured = [(case(SMALL), milliseconds(10)), (case(LARGE), milliseconds(1000))]
    assert {record["verdict"] for record in results.to_json()} == {"too busy to tell"}
    assert summary(results).startswith("No verdict: the machine is too busy.")


def test_goals_depend_on_the_owner():
    """The small owner's queries may take 5 default lists, and the large owner's 20."""
    results = Results(floor(10, 11, 12))
    results.measured = [(case(owner), milliseconds(value)) for owner in (SMALL, LARGE) for value in (50, 51, 200, 201)]
    assert [record["verdict"] for record in results.to_json()] == [
        *("met", "not met", "not met", "not met"),
        *("met", "met", "met", "not met"),
    ]


def test_only_a_quick_and_clear_refusal_is_met():
    """A refusal that takes as long as the query, or one for another reason, misses the goal."""
    results = Results(floor(10, 10, 10))
    refusals = [("QUERY_TOO_EXPENSIVE", 0.2), ("QUERY_TOO_EXPENSIVE", 3), ("UNAVAILABLE", 0.2)]
    results.measured = [(case(LARGE), Measurement((seconds,), None, reason)) for reason, seconds in refusals]
    assert [(record["result"], record["verdict"]) for record in results.to_json()] == [
        ("QUERY_TOO_EXPENSIVE", "met"),
        ("QUERY_TOO_EXPENSIVE", "not met"),
        ("UNAVAILABLE", "not met"),
    ]


@pytest.mark.timeout(400)
async def test_small_run_measures_all_callers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Each query finds as many tasks as the bench says, and a query over its goal is printed with its plan."""
    monkeypatch.setattr(report, "GOALS", {SMALL: 0.0, LARGE: 0.0})
    options = Options(tmp_path, seconds=0, max_plans=2, console=Console(quiet=True))
    results, plans = await measure_queries(options, TASKS, ["user", "all", "other"])
    assert len(plans) == 2
    assert all("Query Text" in plan and "Buffers" in plan for plan in plans.values())
    assert {case.caller for case, _ in results.measured} > {"user", "manager, all owners", "service"}
    assert [(case.title, found.refusal) for case, found in results.measured if found.refusal] == []
    assert [
        (case.title, found.result)
        for case, found in results.measured
        if case.matches and found.response and not _agrees(case.matches, found.response)
    ] == []
    assert results.misses()


def _agrees(matches: str, response: Response) -> bool:
    if matches == NONE:
        return response.items == 0
    if matches == FEW:
        return response.items < 50 and (response.items > 0 or response.has_more)  # a short page is one of several
    return response.items > 0
