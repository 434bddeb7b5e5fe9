"""Settings of task_service, from environment variables with the prefix TASKS_."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import SettingsConfigDict

from chassis.database.settings import DatabaseSettings, SchemaName
from chassis.database.url import PostgresUrl
from chassis.limits.load_shed import DEFAULT_CAPACITY
from chassis.rpc.settings import GrpcServiceSettings
from chassis.settings import Listen, ListenAddress, RedisUrl
from chassis.tls.settings import Target

_STORE_SCHEMES = {"file", "memory", "s3", "s3a", "gs", "az", "adl", "azure", "abfs", "abfss", "https"}


def _check_store_url(url: str) -> str:
    # The object store's errors quote the URL. Credentials come from the environment, as AWS_ACCESS_KEY_ID does.
    try:
        parts = urlsplit(url)
        is_valid = parts.password is None and (
            not parts.netloc if parts.scheme in {"file", "memory"} else bool(parts.hostname)
        )
    except ValueError:
        is_valid = False
    if not is_valid or parts.scheme not in _STORE_SCHEMES:
        raise ValueError(
            "must be file:///folder, s3://bucket/prefix, gs://bucket or az://container, without credentials"
        )
    return url


StoreUrl = Annotated[str, AfterValidator(_check_store_url)]


DEFAULT_SCHEMA = "tasks"

COMMAND_VARIABLES = frozenset({"TASKS_OWNER_DATABASE_URL", "TASKS_PROVISION_DATABASE_URL"})
"""Variables of the commands."""


class TasksSettings(DatabaseSettings, GrpcServiceSettings):
    """Settings of the service."""

    model_config = SettingsConfigDict(env_prefix="TASKS_")
    other_variables = COMMAND_VARIABLES

    listen: ListenAddress = Listen("127.0.0.1", 50052)
    database_schema: SchemaName = DEFAULT_SCHEMA
    direct_database_url: PostgresUrl | None = None
    """Postgres URL without a pooler, for LISTEN. Without it and without prepared statements, watches poll."""
    database_pool_size: int = Field(default=10, ge=6, le=200)
    """Maximum number of connections. 2 are reserved for background work, and a caller gets half the rest."""
    redis_url: RedisUrl
    """Celery broker of the import workers."""
    store_url: StoreUrl
    """Object store: file:///folder, s3://bucket/prefix, gs://, az://."""
    auth_target: Target
    """auth_service, as a gRPC target."""
    auth_credential: SecretStr
    """Credential of this service's account, which has the scopes trust:read and users:read."""
    max_concurrent_streams: int = Field(default=DEFAULT_CAPACITY.max_concurrent_streams, ge=1)
    """Maximum number of concurrent watches, downloads and uploads. They are no calls of `max_concurrent_calls`."""
    max_streams_per_caller: int = Field(default=DEFAULT_CAPACITY.max_streams_per_caller, ge=1)
    """Maximum number of concurrent streams of one user or service."""
    lease_seconds: float = Field(default=15, ge=1, le=600)
    """Lifetime of a lease without a batch. Afterwards others can claim the import."""
    trash_retention_days: float = Field(default=30, gt=0, le=3650)
    """Time for which a deleted task can be restored."""
    max_upload_bytes: int = Field(default=1 << 30, gt=0)
    """Maximum size of a file."""
    max_stored_bytes_per_owner: int = Field(default=10 << 30, gt=0)
    """Maximum size of all stored files of one owner."""
    max_stored_bytes: int = Field(default=100 << 30, gt=0)
    """Maximum size of all stored files of all owners."""
    max_header_bytes: int = Field(default=65536, ge=16, le=65536)
    """Maximum length of a header line."""
    max_columns: int = Field(default=1000, ge=1, le=1000)
    """Maximum number of columns."""
    max_record_bytes: int = Field(default=1 << 20, ge=64, le=1 << 20)
    """Maximum length of a row. In UTF-8 it can become three times as long, which still fits a gRPC message."""
    max_cell_characters: int = Field(default=1 << 20, ge=1, le=1 << 20)
    """Maximum length of a cell."""
    upload_idle_timeout_seconds: float = Field(default=60, gt=0)
    """Time without a chunk after which an upload ends. Twice GATEWAY_UPLOAD_IDLE_TIMEOUT_SECONDS, so that the gateway
    times out first and tells its client."""
    unfinished_upload_retention_seconds: float = Field(default=3600, gt=0)
    """Time after which an unfinished upload is deleted."""
    upload_retention_seconds: float = Field(default=7 * 86400, gt=0)
    """Time for which the file of an ended import is stored."""
    block_interval_seconds: float = Field(default=10, gt=0, le=3600)
    """Interval at which blocks are appended to the hash chain."""
    max_concurrent_imports_per_owner: int = Field(default=4, ge=1)
    """Maximum number of concurrent imports of an owner. Further ones wait."""

    @property
    def notifications_url(self) -> str | None:
        """URL of the connection that listens to notifications; None if only a pooler is reachable, which loses them."""
        url = self.direct_database_url or (self.database_url if self.database_prepared_statements else None)
        return url.get_secret_value() if url else None
