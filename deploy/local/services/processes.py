"""Processes of the services: the replicas, import workers and gateway of one run."""

from collections.abc import Iterator, Mapping
from functools import partial

from deploy.local.config.ports import Ports
from deploy.local.host.free_ports import HOST
from deploy.local.services.python_process import python_process
from deploy.local.services.settings import ServiceSettings
from deploy.local.supervision.probes import file_exists, grpc_is_serving, http_is_ok
from deploy.local.supervision.process import ProcessSpec


def service_processes(settings: ServiceSettings, *, ports: Ports, workers: int) -> tuple[tuple[ProcessSpec, ...], ...]:
    """Return groups of processes in the order of their dependencies: a group calls only the groups before it."""
    return (
        _grpc_replicas("auth_service", "AUTH", settings.auth_service, ports.auth, ports.auth_internal),
        _grpc_replicas("task_service", "TASKS", settings.task_service, ports.tasks, ports.tasks_internal),
        tuple(_import_worker(settings, f"import_worker-{number}") for number in range(1, workers + 1)),
        (_gateway(settings, ports.gateway),),
    )


def _grpc_replicas(
    service: str,
    prefix: str,
    environment: Mapping[str, str],
    ports: tuple[int, ...],
    internal_ports: tuple[int, ...],
) -> tuple[ProcessSpec, ...]:
    """Return the replicas of a gRPC service, one for each port."""
    replicas = zip(_name_replicas(service, ports), internal_ports, strict=True)
    return tuple(
        python_process(
            name,
            service,
            {
                **environment,
                f"{prefix}_LISTEN": f"{HOST}:{port}",
                f"{prefix}_INTERNAL_LISTEN": f"{HOST}:{internal_port}",
            },
            readiness_probe=partial(grpc_is_serving, f"{HOST}:{port}", prefix=prefix),
            port=port,
        )
        for (name, port), internal_port in replicas
    )


def _name_replicas(service: str, ports: tuple[int, ...]) -> Iterator[tuple[str, int]]:
    """Yield the name and port of each replica. A single replica has no number in its name."""
    if len(ports) == 1:
        yield service, ports[0]
    else:
        yield from ((f"{service}-{number}", port) for number, port in enumerate(ports, start=1))


def _import_worker(settings: ServiceSettings, name: str) -> ProcessSpec:
    heartbeat = settings.data_dir / "run" / f"{name}.heartbeat"
    return python_process(
        name,
        "import_worker",
        {**settings.import_worker, "IMPORT_WORKER_HEARTBEAT_FILE": str(heartbeat)},
        readiness_probe=partial(file_exists, heartbeat),
        runtime_files=(heartbeat,),
        grace_period_seconds=30,
    )


def _gateway(settings: ServiceSettings, port: int) -> ProcessSpec:
    return python_process(
        "gateway",
        "gateway",
        {**settings.gateway, "GATEWAY_LISTEN": f"{HOST}:{port}"},
        readiness_probe=partial(http_is_ok, f"{settings.endpoints.gateway_url}/readyz"),
        port=port,
    )
