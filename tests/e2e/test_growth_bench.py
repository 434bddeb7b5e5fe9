"""The bench of large tables, with few tasks: it asks for everything that is documented, and its verdicts are honest."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Self

import pytest
from rich.console import Console
from taskmanager.tasks.v1 import task_service_pb2

from tests.bench.growth import report, run
from tests.bench.growth.cases import LARGE, SMALL, Case
from tests.bench.growth.dataset import Dataset
from tests.bench.growth.measurement import Call, Measurement, Response
from tests.bench.growth.queries import FEW, MANY, NONE, Subject, all_queries
from tests.bench.growth.report import BUSY, Floor, Result, misses, summary
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


async def other() -> Response:
    raise NotImplementedError


def result(owner: str, measurement: Measurement, floor: Floor) -> Result:
    return Result(Case("default list", MANY, "user", owner, never), measurement, floor)


def test_every_documented_filter_is_measured():
    """A new field of ListTasksRequest needs a query in the bench."""
    subject = Subject("small", "00000000-0000-7000-8000-000000000001", ("x",), "00000000-0000-7000-8000-000000000002")
    used = {name for query in all_queries(Dataset.new(TASKS), subject) for name in query.fields}
    documented = {field.name for field in task_service_pb2.ListTasksRequest.DESCRIPTOR.fields}
    assert used == documented - NOT_A_FILTER


def test_busy_machine_gets_no_verdict():
    """If the default list varies by more than 30 % during a part, no query of the part is called met or not met."""
    results = [
        *(result(SMALL, milliseconds(value), floor(10, 14)) for value in (10, 1000)),
        *(result(SMALL, milliseconds(value), floor(20, 22)) for value in (100, 101)),
    ]
    assert [each.verdict for each in results] == [BUSY, BUSY, "met", "not met"]
    assert summary(results) == (
        "The default list of a small owner took 10.0 to 20.0 ms, depending on the part, and differed by at most 40%"
        " within a part. 1 met, 0 of them by a refusal; 1 not met."
        " No verdict about 2: the machine was too busy; the limit within a part is 30%."
    )


def test_goals_depend_on_the_owner():
    """The small owner's queries may take 5 default lists, and the large owner's 20."""
    verdicts = {
        owner: [result(owner, milliseconds(value), floor(10, 11)).verdict for value in (50, 51, 200, 201)]
        for owner in (SMALL, LARGE)
    }
    assert verdicts == {SMALL: ["met", "not met", "not met", "not met"], LARGE: ["met", "met", "met", "not met"]}


def test_only_a_quick_and_clear_refusal_is_met():
    """A refusal that takes as long as the query, or one for another reason, misses the goal."""
    refusals = [("QUERY_TOO_EXPENSIVE", 0.2), ("QUERY_TOO_EXPENSIVE", 3), ("UNAVAILABLE", 0.2)]
    results = [result(LARGE, Measurement((seconds,), None, reason), floor(10, 10)) for reason, seconds in refusals]
    assert [each.verdict for each in results] == ["met", "not met", "not met"]


class FakeWorkload:
    """Workload with one query, which counts how often it is measured."""

    attempts = 0

    async def renew_tokens(self) -> Self:
        return self

    async def default_call(self) -> Call:
        return never

    async def cases(self, part: str) -> AsyncIterator[Case]:
        self.attempts += 1
        yield Case("q", NONE, part, SMALL, other)


@pytest.mark.parametrize(("default_lists", "attempts"), [([10, 11], 1), ([10, 20, 10, 11], 2), ([10, 20] * 3, 3)])
async def test_part_is_measured_again_if_the_machine_was_busy(
    default_lists: list[float], attempts: int, monkeypatch: pytest.MonkeyPatch
):
    """A part counts when the default list took the same before and after it, or after three attempts."""
    floors = map(milliseconds, default_lists)

    async def measured(call: Call, **_: object) -> Measurement:
        return next(floors) if call is never else milliseconds(30)

    monkeypatch.setattr(run, "measure", measured)
    workload = FakeWorkload()
    options = Options(Path(), seconds=0, max_plans=0, console=Console(quiet=True))
    results = await run.measure_part(options, workload, "user")  # type: ignore[arg-type]
    assert [each.floor for each in results] == [floor(*default_lists[-2:])]
    assert workload.attempts == attempts


@pytest.mark.timeout(400)
async def test_small_run_measures_all_callers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Each query finds as many tasks as the bench says, and a query over its goal is printed with its plan."""
    monkeypatch.setattr(report, "GOALS", {SMALL: 0.0, LARGE: 0.0})
    options = Options(tmp_path, seconds=0, max_plans=2, console=Console(quiet=True))
    results, plans = await measure_queries(options, TASKS, ["user", "all", "other"])
    assert len(plans) == 2
    assert {title: plan for title, plan in plans.items() if "Query Text" not in plan or "Buffers" not in plan} == {}
    assert {each.case.caller for each in results} > {"user", "manager, all owners", "service"}
    assert [each.case.title for each in results if each.measurement.refusal] == []
    assert [
        (each.case.title, each.measurement.result)
        for each in results
        if each.case.matches and each.measurement.response and not _agrees(each.case.matches, each.measurement.response)
    ] == []
    assert misses(results)


def _agrees(matches: str, response: Response) -> bool:
    if matches == NONE:
        return response.items == 0
    if matches == FEW:
        return response.items < 50 and (response.items > 0 or response.has_more)  # a short page is one of several
    return response.items > 0
