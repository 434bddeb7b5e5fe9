"""Ports of one run of the stack."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from typing import Self

from deploy.local.config.options import Options
from deploy.local.errors import LocalStackError
from deploy.local.host.free_ports import CHOOSE_ANOTHER_PORT, find_free_port, is_port_free, reserve_port


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Ports of one run. A restarted process keeps its port, because the other processes have it in their settings."""

    gateway: int
    auth: tuple[int, ...]
    tasks: tuple[int, ...]
    auth_internal: tuple[int, ...]
    tasks_internal: tuple[int, ...]
    ingest: tuple[int, ...]
    auth_probes: tuple[int, ...]
    """Health checks and metrics of each replica, as the next four."""
    tasks_probes: tuple[int, ...]
    ingest_probes: tuple[int, ...]
    gateway_probes: tuple[int, ...]
    worker_probes: tuple[int, ...]
    postgres: int
    redis: int

    @classmethod
    def choose(cls, options: Options) -> Self:
        """Take the requested ports and choose free ones for the rest.

        The first replica gets the requested port, the other replicas get any free one. Raise LocalStackError if a
        requested port is in use; the message names the option.
        """
        requested = {
            "--gateway-port": options.gateway_port,
            "--auth-port": options.auth_port,
            "--tasks-port": options.tasks_port,
            "--postgres-port": 0 if options.postgres_url else options.postgres_port,
            "--redis-port": 0 if options.redis_url else options.redis_port,
        }
        _check_requested(requested)
        choose = partial(_choose_free_port, requested.values())
        gateway, auth, tasks, postgres, redis = (port or choose() for port in requested.values())
        return cls(
            gateway=gateway,
            auth=(auth, *(choose() for _ in range(1, options.replicas))),
            tasks=(tasks, *(choose() for _ in range(1, options.replicas))),
            auth_internal=tuple(choose() for _ in range(options.replicas)),
            tasks_internal=tuple(choose() for _ in range(options.replicas)),
            ingest=tuple(choose() for _ in range(options.ingest_processes)),
            auth_probes=tuple(choose() for _ in range(options.replicas)),
            tasks_probes=tuple(choose() for _ in range(options.replicas)),
            ingest_probes=tuple(choose() for _ in range(options.ingest_processes)),
            gateway_probes=tuple(choose() for _ in range(options.gateways)),
            worker_probes=tuple(choose() for _ in range(options.workers)),
            postgres=postgres,
            redis=redis,
        )


def _check_requested(requested: dict[str, int]) -> None:
    """Reserve the requested ports. Raise one LocalStackError that names every unusable one, not only the first."""
    problems: list[str] = []
    option_by_port: dict[int, str] = {}
    for option, port in requested.items():
        if port == 0:
            continue
        if port in option_by_port:
            problems.append(f"{option} {port} is the same as {option_by_port[port]}")
        elif not is_port_free(port):
            problems.append(f"{option} {port} is in use by another program")
        else:
            reserve_port(port)  # if the caller has reserved it, that is enough
        option_by_port.setdefault(port, option)
    if problems:
        raise LocalStackError("; ".join(problems) + f". {CHOOSE_ANOTHER_PORT}")


def _choose_free_port(requested: Collection[int]) -> int:
    while (port := find_free_port()) in requested:
        pass
    return port
