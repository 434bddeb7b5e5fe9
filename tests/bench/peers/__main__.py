"""Side by side with other applications, by wrk: ours, the peer, ours, the peer, and so on.

    python -m tests.bench.peers [--template FOLDER] [--rounds 5] [--seconds 2] [--json bench-peers.json]

Ours is a stack on 127.0.0.1 with one gateway and one task_service. The first peer is the floor of such a stack: a
gateway and a service that do nothing. The others run with two workers on the same database server. A peer that can't be
installed, started or reached is skipped, with the reason.
"""

import argparse
import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from rich.console import Console

from tests.bench.peers.application import CREATE, GET, LIST, OPERATIONS, Application, PeerUnavailable
from tests.bench.peers.bare_peer import NAME as BARE
from tests.bench.peers.bare_peer import running_bare_processes
from tests.bench.peers.comparison import Comparison, print_comparisons, write_json
from tests.bench.peers.flask_peer import NAME as FLASK
from tests.bench.peers.flask_peer import open_task_manager, running_flask_app
from tests.bench.peers.template_peer import NAME as TEMPLATE
from tests.bench.peers.template_peer import running_template
from tests.bench.peers.wrk import Load, is_installed, run_wrk
from tests.bench.system import System, running_system

_GOALS: Mapping[tuple[str, str], float] = {
    (FLASK, LIST): 1.1,
    (FLASK, CREATE): 1.5,
    (TEMPLATE, GET): 2.5,
    (TEMPLATE, LIST): 2.0,
    (TEMPLATE, CREATE): 2.5,
}


async def compare(
    ours: Application, peer: Application, *, rounds: int, seconds: int, console: Console
) -> list[Comparison]:
    """Load both alternately, operation by operation. Raise PeerUnavailable if one can't be reached."""
    loads: defaultdict[str, list[tuple[Load, Load]]] = defaultdict(list)
    for round_number in range(rounds + 1):
        for operation in OPERATIONS:
            our_load = await run_wrk(ours.url, ours.requests[operation], seconds=seconds)
            their_load = await run_wrk(peer.url, peer.requests[operation], seconds=seconds)
            if round_number:  # round 0 is the warm-up
                loads[operation].append((our_load, their_load))
        console.log(f"{peer.name}: " + (f"round {round_number} of {rounds}" if round_number else "warmed up"))
    return [
        Comparison(
            peer=peer.name,
            operation=operation,
            ours=[our_load for our_load, _ in loads[operation]],
            theirs=[their_load for _, their_load in loads[operation]],
            our_bytes=ours.response_bytes[operation],
            their_bytes=peer.response_bytes[operation],
            goal=_GOALS.get((peer.name, operation)),
        )
        for operation in OPERATIONS
    ]


def _peers(system: System, template: str) -> Mapping[str, AbstractAsyncContextManager[Application]]:
    return {
        BARE: running_bare_processes(system),
        FLASK: running_flask_app(system),
        TEMPLATE: running_template(system, template),
    }


async def bench(arguments: argparse.Namespace, console: Console) -> tuple[Sequence[Comparison], Mapping[str, str]]:
    """Return the comparisons, and the reason for each peer that was skipped."""
    comparisons: list[Comparison] = []
    skipped: dict[str, str] = {}
    async with running_system(console.log) as system:
        for name, starting in _peers(system, arguments.template).items():
            console.log(f"{name}: installing and starting")
            ours = await open_task_manager("ours", system.gateway_url)
            try:
                async with starting as peer:
                    comparisons += await compare(
                        ours, peer, rounds=arguments.rounds, seconds=arguments.seconds, console=console
                    )
            except PeerUnavailable as error:
                skipped[name] = str(error)
                console.log(f"{name}: skipped: {error}", markup=False)
    return comparisons, skipped


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.peers", description="Compare with other applications.")
    parser.add_argument("--template", default="", help="folder of the full-stack FastAPI template (default: skip it)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each peer (default: %(default)s)")
    parser.add_argument("--seconds", type=int, default=2, help="seconds of each load (default: %(default)s)")
    parser.add_argument(
        "--json", type=Path, default=Path("bench-peers.json"), help="output file (default: %(default)s)"
    )
    arguments = parser.parse_args()
    if not is_installed():
        parser.exit(message="Skipped: wrk is not installed. It is Debian's package wrk.\n")
    console = Console(width=140)
    comparisons, skipped = asyncio.run(bench(arguments, console))
    print_comparisons(comparisons, console)
    for name, reason in skipped.items():
        console.print(f"{name}: skipped: {reason}", markup=False, soft_wrap=True)
    write_json(comparisons, skipped, arguments.json)


if __name__ == "__main__":
    main()
