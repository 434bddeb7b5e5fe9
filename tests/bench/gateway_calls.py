"""CPU of the gateway for a REST call, without the services behind it: the echo server responds instead.

    python -m tests.bench.gateway_calls [--against CHECKOUT ...] [--rounds 5] [--seconds 1.5]

Beside this checkout's gateway it measures, alternating, the bare gateway (bare_gateway.py) and the gateways of other
checkouts. A second gateway with a limit of one request, which a request without a response uses up, refuses all others.
"""

import argparse
import asyncio
import os
import statistics
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table
from taskmanager.tasks.v1 import task_pb2, task_service_pb2

from deploy.local.host.free_ports import HOST, find_free_port
from tests.bench.calls import CONCURRENT_CALLERS, OPERATIONS, PAGE_SIZE, SAMPLE_TASK, BenchClient
from tests.bench.echo import HELD_ID
from tests.bench.http import HttpConnection
from tests.bench.measure import Sample, measure_calls
from tests.bench.process import running_module

REPOSITORY_ROOT = Path(__file__).parents[2]
REFUSED = "refused"
_CREATED_AT = 1_790_000_000
_TOKEN = "t" * 600  # of the length of an access token; the gateway passes it on


@dataclass(frozen=True)
class Gateway:
    """A measured process, and its process that refuses every request, if it has one."""

    url: str
    pid: int
    refusing: "Gateway | None" = None


def sample_page() -> task_service_pb2.ListTasksResponse:
    """Return a page of tasks as the service returns them."""
    page = task_service_pb2.ListTasksResponse(next_page_token="n" * 60)
    for number in range(PAGE_SIZE):
        task = page.tasks.add()
        task.CopyFrom(SAMPLE_TASK)
        task.MergeFrom(
            task_pb2.Task(
                id=f"019aa2f1-0000-7000-8000-{number:012}", owner_id=f"019aa2f0-0000-7000-8000-{0:012}", etag="1"
            )
        )
        for time in (task.created_at, task.updated_at):
            time.seconds, time.nanos = _CREATED_AT + number, 123_456_000 + number * 1000
    return page


@asynccontextmanager
async def process(*arguments: str, checkout: Path, log: Path, port: int, **environment: str) -> AsyncIterator[int]:
    """Run `python -m arguments` of a checkout."""
    path = os.pathsep.join(map(str, (checkout, checkout / "protos" / "gen")))
    environment = {**os.environ, **environment, "PYTHONPATH": path}
    async with running_module(*arguments, port=port, log=log, environment=environment, folder=checkout) as pid:
        yield pid


@asynccontextmanager
async def running_gateway(checkout: Path, folder: Path, target: str, **settings: str) -> AsyncIterator[Gateway]:
    """Run the gateway of a checkout."""
    port = find_free_port()
    environment = {
        "GATEWAY_LISTEN": f"{HOST}:{port}",
        "GATEWAY_AUTH_TARGET": target,
        "GATEWAY_TASKS_TARGET": target,
        "GATEWAY_DRAIN_SECONDS": "1",
        **settings,
    }
    async with process("gateway", checkout=checkout, log=folder / f"{port}.log", port=port, **environment) as pid:
        yield Gateway(f"http://{HOST}:{port}", pid)


@asynccontextmanager
async def running_gateways(checkout: Path, folder: Path, target: str) -> AsyncIterator[Gateway]:
    """Run the gateway of a checkout, and another one that refuses every request."""
    limits = {"GATEWAY_MAX_CONCURRENT_REQUESTS": "1", "GATEWAY_MAX_QUEUED_REQUESTS": "0"}
    async with (
        running_gateway(checkout, folder, target) as admitting,
        running_gateway(checkout, folder, target, GATEWAY_CALL_TIMEOUT_SECONDS="3600", **limits) as refusing,
        HttpConnection.open(refusing.url) as connection,
    ):
        holding = connection.caller(partial(client().get_task, HELD_ID))
        held = asyncio.ensure_future(holding())
        await asyncio.sleep(1)  # nothing says when the request has its slot
        yield Gateway(admitting.url, admitting.pid, refusing)
        held.cancel()


@asynccontextmanager
async def running_bare_gateway(folder: Path, target: str) -> AsyncIterator[Gateway]:
    """Run the floor."""
    port = find_free_port()
    arguments = ("tests.bench.bare_gateway", str(port), target, str(folder / "page.binpb"))
    async with process(*arguments, checkout=REPOSITORY_ROOT, log=folder / "bare.log", port=port) as pid:
        yield Gateway(f"http://{HOST}:{port}", pid)


def client() -> BenchClient:
    return BenchClient(_TOKEN, [f"019aa2f1-0000-7000-8000-{number:012}" for number in range(PAGE_SIZE)])


async def measure_operation(gateway: Gateway, operation: str, *, seconds: float) -> Sample | None:
    """Return a sample of an operation; None if the process does not have it."""
    if operation != REFUSED:
        async with client().by_rest(gateway.url) as callers:
            return await measure_calls(callers[operation], seconds=seconds, pids={"gateway": gateway.pid})
    if gateway.refusing is None:
        return None
    request = client().get_task(client().ids[0])
    async with AsyncExitStack() as stack:
        connections = [
            await stack.enter_async_context(HttpConnection.open(gateway.refusing.url))
            for _ in range(CONCURRENT_CALLERS)
        ]
        calls = [connection.caller(lambda: request, status=b"503") for connection in connections]
        return await measure_calls(calls, seconds=seconds, pids={"gateway": gateway.refusing.pid})


Samples = Mapping[tuple[str, str], Sequence[float]]
"""CPU milliseconds of a call in each round, by gateway and operation."""


async def measure(checkouts: Mapping[str, Path], *, rounds: int, seconds: float, console: Console) -> Samples:
    """Measure all gateways alternately, round by round."""
    samples: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    with TemporaryDirectory(prefix="taskmanager-bench-") as name:
        folder = Path(name)
        (folder / "page.binpb").write_bytes(sample_page().SerializeToString())
        async with AsyncExitStack() as stack:
            port = find_free_port()
            target = f"{HOST}:{port}"
            echo = ("tests.bench.echo", target, str(folder / "page.binpb"))
            log = folder / "echo.log"
            await stack.enter_async_context(process(*echo, checkout=REPOSITORY_ROOT, log=log, port=port))
            gateways = {"bare": await stack.enter_async_context(running_bare_gateway(folder, target))}
            for label, checkout in checkouts.items():
                gateways[label] = await stack.enter_async_context(running_gateways(checkout, folder, target))
            for round_number in range(rounds + 1):
                for operation in (*OPERATIONS, REFUSED):
                    for label, gateway in gateways.items():
                        sample = await measure_operation(gateway, operation, seconds=seconds)
                        if round_number and sample is not None:  # round 0 is the warm-up
                            samples[label, operation].append(sample.cpu_ms("gateway"))
                console.log(f"round {round_number} of {rounds}" if round_number else "warmed up")
    return samples


def print_samples(samples: Samples, labels: Sequence[str], console: Console) -> None:
    """Print the medians, and the medians of the ratios to the first checkout's gateway."""
    first = labels[0]
    table = Table("CPU of the gateway", "bare", first, *(column for label in labels[1:] for column in (label, "ratio")))
    for operation in (*OPERATIONS, REFUSED):
        cells = [
            f"{statistics.median(samples[label, operation]):.3f} ms" if (label, operation) in samples else ""
            for label in ("bare", first)
        ]
        for label in labels[1:]:
            ratios = [a / b for a, b in zip(samples[label, operation], samples[first, operation], strict=True)]
            cells += [
                f"{statistics.median(samples[label, operation]):.3f} ms",
                f"{statistics.median(ratios):.2f}x ({min(ratios):.2f} to {max(ratios):.2f})",
            ]
        table.add_row(operation, *cells)
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.gateway_calls", description=__doc__)
    parser.add_argument("--against", type=Path, nargs="*", default=[], help="other checkouts")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.5)
    arguments = parser.parse_args()
    checkouts = {"this": REPOSITORY_ROOT}
    checkouts |= {checkout.name: checkout.resolve() for checkout in arguments.against}
    console = Console(width=120)
    samples = asyncio.run(measure(checkouts, rounds=arguments.rounds, seconds=arguments.seconds, console=console))
    print_samples(samples, list(checkouts), console)


if __name__ == "__main__":
    main()
