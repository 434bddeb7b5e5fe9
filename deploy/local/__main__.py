"""The command line: `python -m deploy.local run` and `python -m deploy.local demo`."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TextIO

from rich.console import Console

from deploy.local.config.options import Options
from deploy.local.demo.scenario import demo
from deploy.local.errors import LocalStackError, ProcessFailedError
from deploy.local.run import run
from deploy.local.service_command import become_command
from deploy.local.stack import Announce


def main() -> int:
    """Does what the arguments say and returns the exit status."""
    arguments = _parser().parse_args()
    try:
        if arguments.command == "command":
            become_command(arguments.data_dir.resolve(), arguments.module, arguments.arguments)
        with _data_dir(arguments.data_dir) as data_dir:
            asyncio.run(_until_signalled(_command(arguments, data_dir)))
    except LocalStackError as error:
        _explain(error)
        return 1
    return 0


def _command(arguments: argparse.Namespace, data_dir: Path) -> Coroutine[None, None, None]:
    options = Options(
        data_dir=data_dir,
        gateway_port=arguments.gateway_port,
        auth_port=arguments.auth_port,
        tasks_port=arguments.tasks_port,
        postgres_port=arguments.postgres_port,
        redis_port=arguments.redis_port,
        workers=arguments.workers,
        replicas=arguments.replicas,
        postgres_url=arguments.postgres_url,
        redis_url=arguments.redis_url,
    )
    if arguments.command == "demo":
        return demo(options, rows=arguments.rows, keep=arguments.keep, console=Console())
    return run(options, announce=_lines_to(sys.stdout))


async def _until_signalled(work: Coroutine[None, None, None]) -> None:
    """Does the work, or stops it in good order at the first Ctrl-C, SIGTERM or loss of the terminal."""
    signalled = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
            loop.add_signal_handler(number, signalled.set)
    task = asyncio.ensure_future(work)
    stopping = asyncio.ensure_future(signalled.wait())
    await asyncio.wait((task, stopping), return_when=asyncio.FIRST_COMPLETED)
    task.cancel()
    stopping.cancel()
    with suppress(asyncio.CancelledError):
        await task


@contextmanager
def _data_dir(named: Path | None) -> Iterator[Path]:
    """Gives the named folder, or one that goes with the command."""
    if named is not None:
        yield named
        return
    with TemporaryDirectory(prefix="taskmanager-") as temporary:
        yield Path(temporary)


def _explain(error: LocalStackError) -> None:
    say = _lines_to(sys.stderr)
    say(f"error: {error}")
    if isinstance(error, ProcessFailedError) and error.last_lines:
        say(f"\nThe last lines of {error.process}:")
        for line in error.last_lines:
            say(f"  {line}")


def _lines_to(stream: TextIO) -> Announce:
    """Writes each line at once: whoever reads a pipe waits for the one that begins with `ready`."""

    def write(line: str) -> None:
        with suppress(BrokenPipeError):  # as after `| head`: no reason to leave anything running
            stream.write(f"{line}\n")
            stream.flush()

    return write


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.local", description="The whole system on this machine.")
    commands = parser.add_subparsers(dest="command", required=True)

    running = commands.add_parser("run", help="run the stack until Ctrl-C")
    running.add_argument("--data-dir", type=Path, default=Path("data"), help="keeps everything (default: %(default)s)")
    _add_stack_arguments(running, gateway_port=8080, auth_port=50051, tasks_port=50052)

    showing = commands.add_parser("demo", help="run the stack, do the main job on a sample file, stop")
    showing.add_argument("--data-dir", type=Path, help="keeps everything (default: a temporary one)")
    showing.add_argument("--rows", type=_positive, default=20_000, help="rows of the file (default: %(default)s)")
    showing.add_argument("--keep", action="store_true", help="leave the stack running until Ctrl-C")
    _add_stack_arguments(showing, gateway_port=0, auth_port=0, tasks_port=0)

    calling = commands.add_parser("command", help="run a service's command with the settings of a running stack")
    calling.add_argument("--data-dir", type=Path, default=Path("data"), help="the stack's (default: %(default)s)")
    calling.add_argument("module", help="such as auth_service.commands.create_service")
    calling.add_argument("arguments", nargs=argparse.REMAINDER, help="are passed on")
    return parser


def _add_stack_arguments(
    parser: argparse.ArgumentParser, *, gateway_port: int, auth_port: int, tasks_port: int
) -> None:
    ports = {
        "--gateway-port": ("of the REST API", gateway_port),
        "--auth-port": ("of auth_service", auth_port),
        "--tasks-port": ("of task_service", tasks_port),
        "--postgres-port": ("of the embedded Postgres", 0),
        "--redis-port": ("of the embedded Redis", 0),
    }
    for option, (what, default) in ports.items():
        parser.add_argument(option, type=_port, default=default, help=f"port {what}, 0 for any (default: %(default)s)")
    parser.add_argument("--workers", type=_positive, default=1, help="import workers (default: %(default)s)")
    parser.add_argument(
        "--replicas", type=_positive, default=1, help="of auth_service and task_service each (default: %(default)s)"
    )
    parser.add_argument("--postgres-url", help="a superuser's URL on a server of yours, instead of the embedded one")
    parser.add_argument("--redis-url", help="a Redis server of yours, instead of the embedded one")


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port < 2**16:
        raise argparse.ArgumentTypeError(f"{text} is not a port")
    return port


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number


if __name__ == "__main__":
    sys.exit(main())
