"""Goals for fairness: one caller does the worst that the limits allow, and another one must hardly notice.

    python -m tests.bench.fair [--tasks 100000] [--seconds 12] [--rate 25] [--loads search exports]
        [--ingest-processes 1] [--json bench-fair.json]

The other caller is a process of its own that reads tasks and lists of 50 at a fixed rate, by gRPC and REST. The 99th
percentile of each call during a load is compared with the one of an idle system, before and after all loads in the
same run. If these two differ too much, the machine is too busy to tell, and there is no verdict.

CPU shares are printed for each load: the generator, the other caller and Postgres share the cores of this machine with
the services. So does the scheduler's setting of automatic groups: docs/performance.md has its effect.
"""

import argparse
import asyncio
from pathlib import Path

from rich.console import Console

from tests.bench.fair.loads import LOADS
from tests.bench.fair.report import IDLE_AFTER, IDLE_BEFORE, Measurement, describe, print_report, write_report
from tests.bench.fair.run import running_bench

_AUTOMATIC_GROUPS = Path("/proc/sys/kernel/sched_autogroup_enabled")


async def bench(arguments: argparse.Namespace, console: Console) -> dict[str, Measurement]:
    """Return the measurements by load."""
    found: dict[str, Measurement] = {}
    async with running_bench(arguments, console) as running:
        found[IDLE_BEFORE] = await running.idle()
        console.log(f"idle measured: {describe(found[IDLE_BEFORE])}")
        for load in arguments.loads:
            found[load] = await running.during(load)
            console.log(f"{load}: {describe(found[load])}")
        found[IDLE_AFTER] = await running.idle()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.fair", description="Measure fairness.")
    parser.add_argument("--tasks", type=int, default=100_000, help="tasks of the loading caller (%(default)s)")
    parser.add_argument("--seconds", type=float, default=12.0, help="seconds of each measurement (%(default)s)")
    parser.add_argument("--rate", type=float, default=25.0, help="calls a second of each kind (%(default)s)")
    parser.add_argument("--loads", nargs="+", choices=list(LOADS), default=list(LOADS), help="loads (all)")
    parser.add_argument("--ingest-processes", type=int, default=1, help="processes for imports alone (%(default)s)")
    parser.add_argument("--json", type=Path, default=Path("bench-fair.json"), help="output file (%(default)s)")
    arguments = parser.parse_args()
    console = Console(width=140)
    if _AUTOMATIC_GROUPS.exists():
        console.log(f"kernel.sched_autogroup_enabled={_AUTOMATIC_GROUPS.read_text().strip()}")
    found = asyncio.run(bench(arguments, console))
    print_report(found, console)
    write_report(found, arguments.json)


if __name__ == "__main__":
    main()
