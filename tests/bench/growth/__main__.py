"""Goals for large tables: every documented query, compared with the default list of a small owner.

    python -m tests.bench.growth [--tasks 5000000] [--parts user,manager,all,other,import,curve] [--seconds 0.2]
        [--data-dir FOLDER] [--fill-only] [--explain 12] [--sizes 10000,100000,1000000] [--json bench-growth.json]
        [--plot growth.png]

Of five tasks, four belong to owners of 400 and one belongs to the large owner. With --data-dir, the filled databases
stay, and the next run uses them. A query is measured alone, by calls one after another, and compared with the default
list of a small owner, which is measured before and after each part. If both differ by more than 30 %, the machine was
too busy: the part is measured again, and after three attempts there is no verdict about it. So is the list after an
import, if it differs between two measurements with statistics.
"""

import argparse
import asyncio
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from tests.bench.growth.cases import PARTS
from tests.bench.growth.curve import draw
from tests.bench.growth.fresh_import import measure_fresh_import
from tests.bench.growth.report import print_results, write_json
from tests.bench.growth.run import MAX_ATTEMPTS, Options, measure_curve, measure_queries


def main() -> None:
    arguments = _parse()
    console = Console(width=190)
    with TemporaryDirectory(prefix="taskmanager-growth-") as temporary:
        options = Options(arguments.data_dir or Path(temporary), arguments.seconds, arguments.explain, console)
        sys.exit(0 if asyncio.run(bench(arguments, options, console)) else 1)


async def bench(arguments: argparse.Namespace, options: Options, console: Console) -> bool:
    """Run the parts; return False if the machine was too busy for a verdict."""
    content: dict[str, object] = {}
    is_steady = True
    if arguments.fill_only:
        for tasks in dict.fromkeys((arguments.tasks, *arguments.sizes)):
            await options.fill(tasks)
        return True
    if parts := [part for part in arguments.parts if part in PARTS]:
        results, plans = await measure_queries(options, arguments.tasks, parts)
        for title, plan in plans.items():
            console.rule(title)
            console.print(plan, markup=False, highlight=False, soft_wrap=True)
        print_results(results, console)
        is_steady = all(result.floor.is_steady for result in results)
        content |= {"rows": [result.to_json() for result in results], "plans": plans}
    if "import" in arguments.parts:
        for _ in range(MAX_ATTEMPTS):
            fresh = await measure_fresh_import(arguments.import_rows, seconds=arguments.seconds * 4, console=console)
            if fresh.floor.is_steady:
                break
        console.print(str(fresh))
        is_steady = is_steady and fresh.floor.is_steady
        content["import"] = fresh.to_json()
    if "curve" in arguments.parts:
        points = await measure_curve(options, (*arguments.sizes, arguments.tasks))
        content["curve"] = points
        try:
            draw(points, arguments.plot)
        except ImportError:
            console.print("No plot: matplotlib is not installed. `make bench-growth` installs it.")
    write_json(arguments.json, **content)
    return is_steady


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.growth", description="Measure every documented query in large tables."
    )
    add = parser.add_argument
    add("--tasks", type=int, default=5_000_000, help="tasks in the table (%(default)s)")
    add("--parts", type=_words, default=[*PARTS, "import", "curve"], help="parts to run, by comma (all)")
    add("--seconds", type=float, default=0.2, help="seconds for the calls of one query (%(default)s)")
    add("--data-dir", type=Path, help="folder for the filled databases (a temporary one)")
    add("--fill-only", action="store_true", help="only fill the databases")
    add("--explain", type=int, default=12, help="number of plans of queries over their goal (%(default)s)")
    add("--import-rows", type=int, default=300_000, help="rows of the import (%(default)s)")
    add("--sizes", type=_numbers, default=[10_000, 100_000, 1_000_000], help="further sizes of the curve")
    add("--json", type=Path, default=Path("bench-growth.json"), help="output file (%(default)s)")
    add("--plot", type=Path, default=Path("bench-growth.png"), help="output picture (%(default)s)")
    return parser.parse_args()


def _words(text: str) -> list[str]:
    return text.split(",")


def _numbers(text: str) -> list[int]:
    return [int(word) for word in text.split(",") if word]


if __name__ == "__main__":
    main()
