"""What the system is made of: each process's arguments, environment and readiness."""

import json
import os
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypedDict, Unpack
from urllib.parse import urlsplit

from deploy.local.config.credentials import Credentials
from deploy.local.config.endpoints import target_of
from deploy.local.config.options import Ports
from deploy.local.host.free_ports import HOST
from deploy.local.supervision.data_dir_lock import REPOSITORY
from deploy.local.supervision.probes import file_exists, grpc_serves, http_ok
from deploy.local.supervision.process import ProcessSpec

# The product's documented first requests use `test123`. Nobody but this machine reaches this stack.
_PASSWORD_MIN_LENGTH = 6


class _More(TypedDict, total=False):
    ready: Callable[[], Awaitable[bool]]
    stale_files: tuple[Path, ...]
    grace_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The services of one run, and the commands that come before them."""

    data_dir: Path
    credentials: Credentials = field(repr=False)
    ports: Ports
    postgres_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    workers: int

    @property
    def auth_target(self) -> str:
        """Where auth_service is, for gRPC clients."""
        return target_of([f"{HOST}:{port}" for port in self.ports.auth])

    @property
    def tasks_target(self) -> str:
        """Where task_service is, for gRPC clients."""
        return target_of([f"{HOST}:{port}" for port in self.ports.tasks])

    @property
    def gateway_url(self) -> str:
        """Where the REST API is."""
        return f"http://{HOST}:{self.ports.gateway}"

    def migrations(self) -> tuple[ProcessSpec, ...]:
        """The commands that bring each service's schema up to date. They don't depend on each other."""
        return (
            _python(
                "migrate_auth",
                "auth_service.commands.migrate",
                {
                    "AUTH_PROVISION_DATABASE_URL": self.postgres_url,
                    "AUTH_OWNER_DATABASE_URL": self._database_url("auth_owner", self.credentials.auth_owner_password),
                    "AUTH_DATABASE_URL": self._auth_database_url,
                },
            ),
            _python(
                "migrate_tasks",
                "task_service.commands.migrate",
                {
                    "TASKS_PROVISION_DATABASE_URL": self.postgres_url,
                    "TASKS_OWNER_DATABASE_URL": self._tasks_owner_database_url,
                    "TASKS_DATABASE_URL": self._tasks_database_url,
                },
            ),
        )

    def bootstrap(self) -> ProcessSpec:
        """The command that makes the first admin and the services' own accounts."""
        accounts = [
            {
                "name": "task_service",
                "scopes": ["trust:read", "users:read"],
                "credential": self.credentials.task_service_credential,
            },
            {
                "name": "import_worker",
                "scopes": ["imports:ingest"],
                "credential": self.credentials.import_worker_credential,
            },
        ]
        return _python(
            "bootstrap_auth",
            "auth_service.commands.bootstrap",
            {
                **self._auth_environment,
                "AUTH_LISTEN": f"{HOST}:{self.ports.auth[0]}",
                "AUTH_BOOTSTRAP_ADMIN_USERNAME": "admin",
                "AUTH_BOOTSTRAP_ADMIN_EMAIL": self.credentials.admin_email,
                "AUTH_BOOTSTRAP_ADMIN_PASSWORD": self.credentials.admin_password,
                "AUTH_BOOTSTRAP_SERVICES": json.dumps(accounts),
            },
        )

    def command(self, module: str, *arguments: str) -> ProcessSpec:
        """A command that an operator runs by hand, with the settings of the services."""
        owner = {"TASKS_OWNER_DATABASE_URL": self._tasks_owner_database_url}
        environment = {**self._auth_environment, **self._tasks_environment, **owner}
        return _python(module, module, environment, arguments=arguments)

    def in_order(self) -> tuple[tuple[ProcessSpec, ...], ...]:
        """Groups of processes, those first that the later ones call."""
        return (
            _answering("auth_service", "AUTH", self._auth_environment, self.ports.auth),
            _answering("task_service", "TASKS", self._tasks_environment, self.ports.tasks),
            self._import_workers(),
            (self._gateway(),),
        )

    def _import_workers(self) -> tuple[ProcessSpec, ...]:
        return tuple(self._import_worker(f"import_worker-{number}") for number in range(1, self.workers + 1))

    def _import_worker(self, name: str) -> ProcessSpec:
        heartbeat = self.data_dir / "run" / f"{name}.heartbeat"
        return _python(
            name,
            "import_worker",
            {
                "IMPORT_WORKER_REDIS_URL": self.redis_url,
                "IMPORT_WORKER_TASKS_TARGET": self.tasks_target,
                "IMPORT_WORKER_AUTH_TARGET": self.auth_target,
                "IMPORT_WORKER_AUTH_CREDENTIAL": self.credentials.import_worker_credential,
                "IMPORT_WORKER_HEARTBEAT_FILE": str(heartbeat),
            },
            ready=partial(file_exists, heartbeat),
            stale_files=(heartbeat,),
            grace_seconds=30,
        )

    def _gateway(self) -> ProcessSpec:
        return _python(
            "gateway",
            "gateway",
            {
                "GATEWAY_LISTEN": f"{HOST}:{self.ports.gateway}",
                "GATEWAY_AUTH_TARGET": self.auth_target,
                "GATEWAY_TASKS_TARGET": self.tasks_target,
                # All clients of this stack have one address.
                "GATEWAY_PUBLIC_CALLS_PER_MINUTE": "6000",
            },
            ready=partial(http_ok, f"{self.gateway_url}/readyz"),
        )

    @property
    def _auth_environment(self) -> Mapping[str, str]:
        return {
            "AUTH_DATABASE_URL": self._auth_database_url,
            "AUTH_KEY_ENCRYPTION_KEY": self.credentials.key_encryption_key,
            "AUTH_PASSWORD_MIN_LENGTH": str(_PASSWORD_MIN_LENGTH),
            "AUTH_PASSWORD_BLOCKLIST": "false",
            "AUTH_REFLECTION": "true",
            # The gateway and whoever tries things out are the same address here, so nobody is counted by it.
            "AUTH_TRUSTED_PEERS": "127.0.0.0/8",
        }

    @property
    def _tasks_environment(self) -> Mapping[str, str]:
        return {
            "TASKS_DATABASE_URL": self._tasks_database_url,
            "TASKS_REDIS_URL": self.redis_url,
            "TASKS_STORE_URL": (self.data_dir / "uploads").as_uri(),
            "TASKS_AUTH_TARGET": self.auth_target,
            "TASKS_AUTH_CREDENTIAL": self.credentials.task_service_credential,
            "TASKS_REFLECTION": "true",
        }

    @property
    def _auth_database_url(self) -> str:
        return self._database_url("auth_app", self.credentials.auth_app_password)

    @property
    def _tasks_database_url(self) -> str:
        return self._database_url("tasks_app", self.credentials.tasks_app_password)

    @property
    def _tasks_owner_database_url(self) -> str:
        return self._database_url("tasks_owner", self.credentials.tasks_owner_password)

    def _database_url(self, role: str, password: str) -> str:
        """Returns the superuser's URL with another role in it."""
        parts = urlsplit(self.postgres_url)
        where = parts.netloc.rpartition("@")[2]
        return parts._replace(netloc=f"{role}:{password}@{where}").geturl()


def _answering(
    module: str, prefix: str, environment: Mapping[str, str], ports: tuple[int, ...]
) -> tuple[ProcessSpec, ...]:
    """The replicas of a service that answers gRPC calls, one on each port."""
    listen = {name: f"{HOST}:{port}" for name, port in _replicas(module, ports)}
    return tuple(
        _python(
            name,
            module,
            {**environment, f"{prefix}_LISTEN": address},
            ready=partial(grpc_serves, address, prefix=prefix),
        )
        for name, address in listen.items()
    )


def _python(
    name: str, module: str, environment: Mapping[str, str], *, arguments: tuple[str, ...] = (), **more: Unpack[_More]
) -> ProcessSpec:
    """Returns a process of ours. It sees the caller's environment too, so that a setting can be tried out by hand."""
    path = os.pathsep.join(
        filter(None, (str(REPOSITORY), str(REPOSITORY / "protos" / "gen"), os.environ.get("PYTHONPATH")))
    )
    return ProcessSpec(
        name=name,
        argv=(sys.executable, "-m", module, *arguments),
        env={**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", **environment},
        **more,
    )


def _replicas(name: str, ports: tuple[int, ...]) -> Iterator[tuple[str, int]]:
    """Yields each replica's name and port; the only one has no number."""
    if len(ports) == 1:
        yield name, ports[0]
    else:
        yield from ((f"{name}-{number}", port) for number, port in enumerate(ports, start=1))
