"""Settings of the services: the environment variables of each process."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from deploy.local.config.credentials import Credentials
from deploy.local.config.endpoints import Endpoints

# The documented first requests use the password `test123`. Only this machine reaches the stack.
_PASSWORD_MIN_LENGTH = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSettings:
    """Environment variables of the services of one run."""

    data_dir: Path
    credentials: Credentials = field(repr=False)
    endpoints: Endpoints

    @property
    def auth_service(self) -> Mapping[str, str]:
        """Settings of auth_service, without its address."""
        return {
            "AUTH_DATABASE_URL": self._auth_database_url,
            "AUTH_KEY_ENCRYPTION_KEY": self.credentials.key_encryption_key,
            "AUTH_PASSWORD_MIN_LENGTH": str(_PASSWORD_MIN_LENGTH),
            "AUTH_PASSWORD_BLOCKLIST": "false",
            "AUTH_REFLECTION": "true",
            # All clients of this stack share one address, so the limit by address must be high.
            "AUTH_PUBLIC_CALLS_PER_MINUTE": "6000",
        }

    @property
    def task_service(self) -> Mapping[str, str]:
        """Settings of task_service, without its address."""
        return {
            "TASKS_DATABASE_URL": self._tasks_database_url,
            "TASKS_REDIS_URL": self.endpoints.redis_url,
            "TASKS_STORE_URL": (self.data_dir / "uploads").as_uri(),
            "TASKS_AUTH_TARGET": self.endpoints.internal_auth_target,
            "TASKS_AUTH_CREDENTIAL": self.credentials.task_service_credential,
            "TASKS_REFLECTION": "true",
        }

    @property
    def import_worker(self) -> Mapping[str, str]:
        """Settings of an import worker, without the address of its health checks."""
        return {
            "IMPORT_WORKER_REDIS_URL": self.endpoints.redis_url,
            "IMPORT_WORKER_TASKS_TARGET": self.endpoints.ingest_target,
            "IMPORT_WORKER_AUTH_TARGET": self.endpoints.internal_auth_target,
            "IMPORT_WORKER_AUTH_CREDENTIAL": self.credentials.import_worker_credential,
        }

    @property
    def gateway(self) -> Mapping[str, str]:
        """Settings of the gateway, without its address."""
        return {
            "GATEWAY_AUTH_TARGET": self.endpoints.internal_auth_target,
            "GATEWAY_TASKS_TARGET": self.endpoints.internal_tasks_target,
            # All clients of this stack share one address, so the limit by address must be high.
            "GATEWAY_PUBLIC_CALLS_PER_MINUTE": "6000",
        }

    @property
    def auth_migration(self) -> Mapping[str, str]:
        """Settings of auth_service's migrate command."""
        return {"AUTH_OWNER_DATABASE_URL": self._auth_owner_database_url}

    @property
    def tasks_migration(self) -> Mapping[str, str]:
        """Settings of task_service's migrate command."""
        return {"TASKS_OWNER_DATABASE_URL": self._tasks_owner_database_url}

    @property
    def auth_provision(self) -> Mapping[str, str]:
        """Settings of auth_service's provision command."""
        administrator = {"AUTH_PROVISION_DATABASE_URL": self.endpoints.postgres_url}
        return {**self.auth_migration, **administrator, "AUTH_DATABASE_URL": self._auth_database_url}

    @property
    def tasks_provision(self) -> Mapping[str, str]:
        """Settings of task_service's provision command."""
        administrator = {"TASKS_PROVISION_DATABASE_URL": self.endpoints.postgres_url}
        return {**self.tasks_migration, **administrator, "TASKS_DATABASE_URL": self._tasks_database_url}

    @property
    def operator_commands(self) -> Mapping[str, str]:
        """Settings of the commands that an operator runs by hand."""
        owners = {
            "AUTH_OWNER_DATABASE_URL": self._auth_owner_database_url,
            "TASKS_OWNER_DATABASE_URL": self._tasks_owner_database_url,
        }
        return {**self.auth_service, **self.task_service, **owners}

    @property
    def _auth_database_url(self) -> str:
        return self._database_url("auth_app", self.credentials.auth_app_password)

    @property
    def _tasks_database_url(self) -> str:
        return self._database_url("tasks_app", self.credentials.tasks_app_password)

    @property
    def _auth_owner_database_url(self) -> str:
        return self._database_url("auth_owner", self.credentials.auth_owner_password)

    @property
    def _tasks_owner_database_url(self) -> str:
        return self._database_url("tasks_owner", self.credentials.tasks_owner_password)

    def _database_url(self, role: str, password: str) -> str:
        """Return the superuser URL with another role and password."""
        parts = urlsplit(self.endpoints.postgres_url)
        host_and_port = parts.netloc.rpartition("@")[2]
        return parts._replace(netloc=f"{role}:{password}@{host_and_port}").geturl()
