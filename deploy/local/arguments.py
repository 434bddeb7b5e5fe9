"""Command-line arguments of `python -m deploy.local`."""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

from chassis.database.url import check_postgres_url
from chassis.settings import check_redis_url, check_text
from deploy.local.config.options import Options


def parse_arguments() -> argparse.Namespace:
    """Return the parsed arguments. Print a usage message and exit with status 2 if they are invalid."""
    parser = argparse.ArgumentParser(prog="python -m deploy.local", description="Run the whole system on this machine.")
    commands = parser.add_subparsers(dest="command", required=True)

    run = commands.add_parser("run", help="run the stack until Ctrl-C")
    run.add_argument(
        "--data-dir", type=_path, default=Path("data"), help="directory that keeps all data (default: %(default)s)"
    )
    _add_stack_arguments(run, gateway_port=8080, auth_port=50051, tasks_port=50052)

    demo = commands.add_parser("demo", help="run the stack, import a sample file, stop the stack")
    demo.add_argument("--data-dir", type=_path, help="directory that keeps all data (default: a temporary directory)")
    demo.add_argument("--rows", type=_positive, default=20_000, help="rows of the sample file (default: %(default)s)")
    demo.add_argument("--keep", action="store_true", help="leave the stack running until Ctrl-C")
    _add_stack_arguments(demo, gateway_port=0, auth_port=0, tasks_port=0)

    for name, summary in (
        ("backup", "back up a running stack into a new folder"),
        ("restore", "restore a backup into a data directory that has only the secrets.json of the backed-up stack"),
    ):
        backup = commands.add_parser(name, help=summary)
        backup.add_argument(
            "--data-dir", type=_path, default=Path("data"), help="data directory (default: %(default)s)"
        )
        backup.add_argument("folder", type=Path, help="folder of the backup")

    command = commands.add_parser("command", help="run a service's command with the settings of a running stack")
    command.add_argument(
        "--data-dir",
        type=_path,
        default=Path("data"),
        help="data directory of the running stack (default: %(default)s)",
    )
    command.add_argument(
        "module", nargs="?", default="", help="module of the command, such as auth_service.commands.create_service"
    )
    command.add_argument("arguments", nargs=argparse.REMAINDER, help="arguments of the command")
    return parser.parse_args()


def stack_options(arguments: argparse.Namespace, data_dir: Path) -> Options:
    """Return the options of the stack from the arguments of `run` or `demo`."""
    return Options(
        data_dir=data_dir,
        gateway_port=arguments.gateway_port,
        auth_port=arguments.auth_port,
        tasks_port=arguments.tasks_port,
        postgres_port=arguments.postgres_port,
        redis_port=arguments.redis_port,
        workers=arguments.workers,
        replicas=arguments.replicas,
        ingest_processes=arguments.ingest_processes,
        gateways=arguments.gateways,
        postgres_url=arguments.postgres_url,
        redis_url=arguments.redis_url,
    )


def _add_stack_arguments(
    parser: argparse.ArgumentParser, *, gateway_port: int, auth_port: int, tasks_port: int
) -> None:
    ports = {
        "--gateway-port": ("the REST API", gateway_port),
        "--auth-port": ("auth_service", auth_port),
        "--tasks-port": ("task_service", tasks_port),
        "--postgres-port": ("the embedded Postgres", 0),
        "--redis-port": ("the embedded Redis", 0),
    }
    for option, (server, default) in ports.items():
        parser.add_argument(
            option, type=_port, default=default, help=f"port of {server}, 0 for any free port (default: %(default)s)"
        )
    parser.add_argument("--workers", type=_positive, default=1, help="number of import workers (default: %(default)s)")
    parser.add_argument(
        "--replicas",
        type=_positive,
        default=1,
        help="number of processes of auth_service and of task_service each (default: %(default)s)",
    )
    parser.add_argument(
        "--ingest-processes",
        type=_not_negative,
        default=0,
        help="number of further processes of task_service that only import workers call (default: %(default)s)",
    )
    parser.add_argument(
        "--gateways", type=_positive, default=1, help="number of gateway processes on one port (default: %(default)s)"
    )
    parser.add_argument(
        "--postgres-url",
        type=partial(_url, check_postgres_url),
        help="superuser URL of your own Postgres, which replaces the embedded server",
    )
    parser.add_argument(
        "--redis-url",
        type=partial(_url, check_redis_url),
        help="URL of your own Redis, which replaces the embedded server",
    )


def _path(text: str) -> Path:
    try:
        check_text(text)  # the path is a part of settings
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return Path(text)


def _url(check: Callable[[str], None], text: str) -> str:
    try:
        check_text(text)
        check(text)
    except ValueError as error:
        # argparse quotes the argument after any other error, and a URL holds a password.
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def _port(text: str) -> int:
    if not (text.isdecimal() and int(text) < 2**16):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port. Use a number from 0 to 65535.")
    return int(text)


def _not_negative(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 on")
    return int(text)


def _positive(text: str) -> int:
    if not (text.isdecimal() and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 on")
    return int(text)
