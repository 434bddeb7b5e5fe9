"""Measurements in filled systems."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from tests.bench.growth.accounts import open_accounts
from tests.bench.growth.calls import Stubs
from tests.bench.growth.cases import Workload
from tests.bench.growth.curve import Point, measure_point
from tests.bench.growth.dataset import Dataset
from tests.bench.growth.fill import Filled, fill, read_marker, write_marker
from tests.bench.growth.measurement import Call, Measurement, measure
from tests.bench.growth.plans import logged_plans
from tests.bench.growth.report import Floor, Result, misses
from tests.bench.system import running_system

_FLOOR_TIMES = 4
"""The floor gets so many times the seconds of another query: all ratios depend on it."""
_FLOOR_CALLS = 1000
MAX_ATTEMPTS = 3
"""A measurement is repeated if the machine was too busy meanwhile, up to this number."""


@dataclass(frozen=True)
class Options:
    """Options of all parts."""

    folder: Path
    """Folder of the data directories, one for each size."""
    seconds: float
    """Seconds for the calls of one query."""
    max_plans: int
    console: Console

    def data_dir(self, tasks: int) -> Path:
        return self.folder / f"tasks-{tasks}"

    async def fill(self, tasks: int) -> Filled:
        """Fill the data directory of a size, unless it is full; return its content."""
        data_dir = self.data_dir(tasks)
        if filled := read_marker(data_dir):
            return filled
        data_dir.mkdir(parents=True, exist_ok=True)
        async with running_system(self.console.log, data_dir) as system:
            accounts = await open_accounts(system.stack.endpoints)
            url = system.stack.endpoints.postgres_url
            filled = await asyncio.to_thread(fill, url, Dataset.new(tasks), accounts, self.console.log)
        write_marker(data_dir, filled)
        sizes = ", ".join(f"{table} {size / 2**30:.2f} GiB" for table, size in filled.size.items())
        self.console.log(f"filled with {filled.dataset.tasks:,} tasks in {filled.seconds:.0f} s: {sizes} with indexes")
        return filled


@asynccontextmanager
async def running_workload(options: Options, tasks: int) -> AsyncIterator[Workload]:
    """Run a system with a number of tasks."""
    filled = await options.fill(tasks)
    async with (
        running_system(options.console.log, options.data_dir(tasks)) as system,
        Stubs.open(system.tasks_target) as stubs,
    ):
        accounts = await open_accounts(system.stack.endpoints)
        yield Workload.create(system, filled.dataset, accounts, stubs)


async def measure_queries(options: Options, tasks: int, parts: Sequence[str]) -> tuple[list[Result], Mapping[str, str]]:
    """Measure the cases of some parts; return the results, and the plans of the slowest that miss their goals."""
    async with running_workload(options, tasks) as workload:
        await measure(await workload.default_call(), seconds=options.seconds)
        results = [result for part in parts for result in await measure_part(options, workload, part)]
        return results, await _plans(options, workload, results)


async def measure_part(options: Options, workload: Workload, part: str) -> Sequence[Result]:
    """Measure the cases of a part until its floor is steady, a few times at most."""
    attempts = 0
    while True:
        attempts += 1
        renewed = await workload.renew_tokens()
        default = await renewed.default_call()
        before = await _measure_floor(default, options)
        measured = []
        async for case in renewed.cases(part):
            measurement = await measure(case.call, seconds=options.seconds)
            measured.append((case, measurement))
            options.console.log(f"{case.title}: {measurement.median_ms:,.1f} ms, {measurement.result}")
        floor = Floor([before, await _measure_floor(default, options)])
        if floor.is_steady or attempts == MAX_ATTEMPTS:
            return [Result(case, measurement, floor) for case, measurement in measured]
        options.console.log(f"{part}: the default list differed by {floor.spread:.0%} meanwhile, so once more")


async def _measure_floor(default: Call, options: Options) -> Measurement:
    return await measure(default, seconds=_FLOOR_TIMES * options.seconds, max_calls=_FLOOR_CALLS)


async def _plans(options: Options, workload: Workload, results: Sequence[Result]) -> Mapping[str, str]:
    slow = [result for result in misses(results) if "REST" not in result.case.caller][: options.max_plans]
    if not slow:
        return {}
    plans = {}
    default = await workload.default_call()
    async with logged_plans(workload.system, default) as log:
        for result in slow:
            title = f"{result.case.title}: {result.ratio:.1f}x, {result.measurement.result}"
            plans[title] = await log.slowest_plan(result.case.call)
    return plans


async def measure_curve(options: Options, sizes: Sequence[int]) -> Mapping[int, Point]:
    """Measure the curve in tables of some sizes."""
    points: dict[int, Point] = {}
    for tasks in sorted(set(sizes)):
        async with running_workload(options, tasks) as workload:
            await measure(await workload.default_call(), seconds=options.seconds)
            points[workload.dataset.tasks] = await measure_point(workload, seconds=options.seconds)
        options.console.log(f"curve: {tasks:,} tasks")
    return points
