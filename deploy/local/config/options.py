"""What can be said on the command line about the stack."""

from dataclasses import dataclass, field
from pathlib import Path

from deploy.local.errors import LocalStackError
from deploy.local.host.free_ports import free_port, is_free


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to run the stack. A port of 0 means any free one."""

    data_dir: Path
    gateway_port: int = 0
    auth_port: int = 0
    tasks_port: int = 0
    postgres_port: int = 0
    redis_port: int = 0
    workers: int = 1
    replicas: int = 1
    postgres_url: str | None = field(default=None, repr=False)
    """A superuser's URL on a server of the operator's, used instead of the embedded one."""
    redis_url: str | None = field(default=None, repr=False)
    """A Redis server of the operator's, used instead of the embedded one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """The ports of one run: kept over restarts of a process, for the others know it by them."""

    gateway: int
    auth: tuple[int, ...]
    tasks: tuple[int, ...]
    postgres: int
    redis: int

    @classmethod
    def choose(cls, options: Options) -> "Ports":
        """Takes the named ports and finds free ones for the rest. Raises LocalStackError, naming the option to change.

        The first replica has the named port, the others any free one.
        """
        named = {
            "--gateway-port": options.gateway_port,
            "--auth-port": options.auth_port,
            "--tasks-port": options.tasks_port,
            "--postgres-port": 0 if options.postgres_url else options.postgres_port,
            "--redis-port": 0 if options.redis_url else options.redis_port,
        }
        _check(named)
        taken = set(named.values())
        gateway, auth, tasks, postgres, redis = (port or _another(taken) for port in named.values())
        return cls(
            gateway=gateway,
            auth=(auth, *(_another(taken) for _ in range(1, options.replicas))),
            tasks=(tasks, *(_another(taken) for _ in range(1, options.replicas))),
            postgres=postgres,
            redis=redis,
        )


def _check(named: dict[str, int]) -> None:
    """Reports every port that cannot be had, not only the first."""
    problems: list[str] = []
    seen: dict[int, str] = {}
    for option, port in named.items():
        if port == 0:
            continue
        if port in seen:
            problems.append(f"{option} {port} is the same as {seen[port]}")
        elif not is_free(port):
            problems.append(f"{option} {port} is taken by another program")
        seen.setdefault(port, option)
    if problems:
        raise LocalStackError("; ".join(problems) + ": choose another port, or 0 for any free one")


def _another(taken: set[int]) -> int:
    port = free_port()
    while port in taken:
        port = free_port()
    taken.add(port)
    return port
