"""Processes of the services: the replicas, import workers and gateway of one run."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TypeVar

from deploy.local.config.ports import Ports
from deploy.local.host.free_ports import HOST
from deploy.local.services.python_process import python_process
from deploy.local.services.settings import ServiceSettings
from deploy.local.supervision.probes import grpc_is_serving, http_is_ok
from deploy.local.supervision.process import ProcessSpec

T = TypeVar("T")

INGEST = "task_service_ingest"
"""Name of the processes of task_service that only import workers call."""


def service_processes(
    settings: ServiceSettings, *, ports: Ports, gateway_socket: int
) -> tuple[tuple[ProcessSpec, ...], ...]:
    """Return groups of processes in the order of their dependencies: a group calls only the groups before it.

    `gateway_socket` is the file descriptor of the listening socket that all gateways inherit.
    """
    auth_ports = tuple(zip(ports.auth, ports.auth_internal, ports.auth_probes, strict=True))
    tasks_ports = tuple(zip(ports.tasks, ports.tasks_internal, ports.tasks_probes, strict=True))
    return (
        _grpc_replicas("auth_service", "AUTH", settings.auth_service, auth_ports),
        (
            *_grpc_replicas("task_service", "TASKS", settings.task_service, tasks_ports),
            *(
                _ingest_process(settings, name, port, probes)
                for name, (port, probes) in name_replicas(
                    INGEST, tuple(zip(ports.ingest, ports.ingest_probes, strict=True))
                )
            ),
        ),
        tuple(_import_worker(settings, name, probes) for name, probes in name_workers(ports.worker_probes)),
        tuple(
            _gateway(settings, name, ports.gateway, probes, gateway_socket)
            for name, probes in name_replicas("gateway", ports.gateway_probes)
        ),
    )


def _grpc_replicas(
    service: str, prefix: str, environment: Mapping[str, str], replicas: tuple[tuple[int, int, int], ...]
) -> tuple[ProcessSpec, ...]:
    """Return the replicas of a gRPC service. Each has a public port, an internal one, and one for health checks."""
    return tuple(
        python_process(
            name,
            service,
            {
                **environment,
                f"{prefix}_LISTEN": f"{HOST}:{port}",
                f"{prefix}_INTERNAL_LISTEN": f"{HOST}:{internal_port}",
                f"{prefix}_METRICS_LISTEN": f"{HOST}:{probes}",
            },
            readiness_probe=partial(grpc_is_serving, f"{HOST}:{port}", prefix=prefix),
            port=port,
        )
        for name, (port, internal_port, probes) in name_replicas(service, replicas)
    )


def _ingest_process(settings: ServiceSettings, name: str, port: int, probes: int) -> ProcessSpec:
    """Return a process of task_service with one port, which has the internal rpcs too."""
    return python_process(
        name,
        "task_service",
        {**settings.task_service, "TASKS_LISTEN": f"{HOST}:{port}", "TASKS_METRICS_LISTEN": f"{HOST}:{probes}"},
        readiness_probe=partial(grpc_is_serving, f"{HOST}:{port}", prefix="TASKS"),
        port=port,
    )


def name_replicas(service: str, replicas: Sequence[T]) -> Iterator[tuple[str, T]]:
    """Yield the name and the ports of each replica. A single replica has no number in its name."""
    if len(replicas) == 1:
        yield service, replicas[0]
    else:
        yield from ((f"{service}-{number}", replica) for number, replica in enumerate(replicas, start=1))


def name_workers(workers: Sequence[T]) -> Iterator[tuple[str, T]]:
    """Yield the name and the port of each import worker."""
    yield from ((f"import_worker-{number}", worker) for number, worker in enumerate(workers, start=1))


def _import_worker(settings: ServiceSettings, name: str, probes: int) -> ProcessSpec:
    return python_process(
        name,
        "import_worker",
        {**settings.import_worker, "IMPORT_WORKER_METRICS_LISTEN": f"{HOST}:{probes}"},
        readiness_probe=partial(http_is_ok, f"http://{HOST}:{probes}/readyz"),
        port=probes,
        grace_period_seconds=30,
    )


def _gateway(settings: ServiceSettings, name: str, port: int, probes: int, listening_socket: int) -> ProcessSpec:
    return python_process(
        name,
        "gateway",
        {
            **settings.gateway,
            "GATEWAY_LISTEN": f"{HOST}:{port}",
            "GATEWAY_LISTEN_FD": str(listening_socket),
            "GATEWAY_METRICS_LISTEN": f"{HOST}:{probes}",
        },
        inherited_fds=(listening_socket,),
        # The port is shared by all gateways, so that only a probe of this process tells about it.
        readiness_probe=partial(http_is_ok, f"http://{HOST}:{probes}/readyz"),
        port=probes,
    )
