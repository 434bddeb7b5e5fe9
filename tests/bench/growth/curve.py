"""Cost of some queries against the size of the table, and its plot."""

from collections.abc import Mapping
from pathlib import Path

from tests.bench.growth.cases import LARGE, Workload
from tests.bench.growth.measurement import measure
from tests.bench.growth.queries import MANY, NONE, Query, all_queries

_CURVES = {
    ("default list", MANY): "default list",
    ("default list, middle", MANY): "page in the middle",
    ("order title asc", MANY): "order by title",
    ("labels_all", NONE): "filter without a match",
    ("q, one word", NONE): "search without a match",
}
_SMALL_CURVE = "default list, owner of 400"

Point = Mapping[str, tuple[float, str]]
"""Median milliseconds of each curve, and the refusal or an empty text."""


async def measure_point(workload: Workload, *, seconds: float) -> Point:
    """Return the costs in one size of the table."""
    caller = workload.caller(LARGE, LARGE)
    queries: Mapping[tuple[str, str], Query] = {
        (query.name, query.matches): query for query in all_queries(workload.dataset, caller.subject)
    }
    calls = {label: await caller.list_call(queries[key]) for key, label in _CURVES.items()}
    calls[_SMALL_CURVE] = await workload.default_call()
    point = {}
    for label, call in calls.items():
        measurement = await measure(call, seconds=seconds)
        point[label] = (measurement.median_ms, measurement.refusal)
    return point


def draw(points: Mapping[int, Point], picture: Path) -> None:
    """Draw a line for each curve, with a cross where a query was refused. Raises ImportError without matplotlib."""
    import matplotlib as mpl  # only the plot needs it

    mpl.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import FuncFormatter, NullFormatter

    figure, axes = plt.subplots(figsize=(9, 5.5), layout="constrained")
    for label in (*_CURVES.values(), _SMALL_CURVE):
        sizes = [size for size, point in points.items() if label in point]
        costs = [points[size][label][0] for size in sizes]
        style = "--" if label == _SMALL_CURVE else "-"
        (line,) = axes.plot(sizes, costs, style, marker="o", label=label)
        refused = [(size, cost) for size, cost in zip(sizes, costs, strict=True) if points[size][label][1]]
        if refused:
            axes.plot(*zip(*refused, strict=True), "x", color=line.get_color(), markersize=14, markeredgewidth=2)
    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axis.set_minor_formatter(NullFormatter())
    axes.set_ylim(bottom=1)
    axes.set_xlabel("tasks in the table; a fifth of them belong to the owner whose lists are measured")
    axes.set_ylabel("median time of a call, ms")
    axes.set_title("One page of a list against the size of the table (cross: refused)")
    axes.grid(visible=True, which="both", alpha=0.25)
    figure.legend(loc="outside lower center", ncols=3)
    figure.savefig(picture, dpi=110)
    plt.close(figure)
