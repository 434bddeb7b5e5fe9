"""Settings of task_service, from environment variables with the prefix TASKS_."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import SettingsConfigDict

from chassis.database.settings import DatabaseSettings, SchemaName
from chassis.database.url import PostgresUrl
from chassis.limits.load_shed import DEFAULT_CAPACITY
from chassis.limits.pending_requests import REQUEST_TIMEOUT_SECONDS
from chassis.service_settings import ServiceSettings
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


class TasksSettings(DatabaseSettings, ServiceSettings):
    """Settings of the service."""

    model_config = SettingsConfigDict(env_prefix="TASKS_")
    other_variables = COMMAND_VARIABLES

    listen: ListenAddress = Listen("127.0.0.1", 50052)
    internal_listen: ListenAddress | None = Field(
        default=None, description="address for gateways and workers; with it, `listen` has no internal rpcs"
    )
    database_schema: SchemaName = DEFAULT_SCHEMA
    direct_database_url: PostgresUrl | None = Field(
        default=None,
        description="URL without a pooler, for LISTEN; without it and without prepared statements, watches poll",
    )
    database_pool_size: int = Field(
        default=10,
        ge=6,
        le=200,
        description="connections; 2 are reserved for background work, a caller gets half the rest",
    )
    redis_url: RedisUrl = Field(description="Celery broker of the import workers")
    store_url: StoreUrl = Field(description="object store: file:///folder, s3://bucket/prefix, gs://, az://")
    auth_target: Target = Field(description="gRPC target of auth_service")
    auth_credential: SecretStr = Field(description="credential of this service, with trust:read and users:read")
    start_timeout_seconds: float = Field(
        default=30, gt=0, description="the database, Redis and the object store must respond once in this time"
    )
    token_issuer: str = "taskmanager"  # noqa: S105 - a name
    token_audience: str = "taskmanager"  # noqa: S105 - a name
    reflection: bool = False
    max_concurrent_calls: int = Field(
        default=DEFAULT_CAPACITY.max_concurrent_calls, ge=1, description="further calls are rejected immediately"
    )
    max_concurrent_streams: int = Field(
        default=DEFAULT_CAPACITY.max_concurrent_streams,
        ge=1,
        description="watches, downloads, uploads; counted separately",
    )
    request_timeout_seconds: float = Field(
        default=REQUEST_TIMEOUT_SECONDS, gt=0, description="time in which the message of a unary call must be complete"
    )
    max_streams_per_caller: int = Field(
        default=DEFAULT_CAPACITY.max_streams_per_caller, ge=1, description="open streams of one user or service"
    )
    lease_seconds: float = Field(
        default=15,
        ge=1,
        le=600,
        description="lifetime of a lease without a batch; afterwards others can claim it",
    )
    trash_retention_days: float = Field(
        default=30, gt=0, le=3650, description="time for which a deleted task can be restored"
    )
    max_upload_bytes: int = Field(default=1 << 30, gt=0, description="maximum size of a file")
    max_stored_bytes_per_owner: int = Field(
        default=10 << 30, gt=0, description="maximum size of all stored files of one owner"
    )
    max_stored_bytes: int = Field(default=100 << 30, gt=0, description="maximum size of all stored files of all owners")
    max_header_bytes: int = Field(default=65536, ge=16, le=65536, description="maximum length of a header line")
    max_columns: int = Field(default=1000, ge=1, le=1000, description="maximum number of columns")
    # In UTF-8 a record can become three times as long, which still fits a gRPC message.
    max_record_bytes: int = Field(default=1 << 20, ge=64, le=1 << 20, description="maximum length of a row")
    max_cell_characters: int = Field(default=1 << 20, ge=1, le=1 << 20, description="maximum length of a cell")
    # Twice GATEWAY_UPLOAD_IDLE_TIMEOUT_SECONDS, so that the gateway times out first and tells its client.
    upload_idle_timeout_seconds: float = Field(default=60, gt=0, description="an idle upload ends after this time")
    unfinished_upload_retention_seconds: float = Field(
        default=3600, gt=0, description="unfinished uploads older than this are deleted"
    )
    upload_retention_seconds: float = Field(
        default=7 * 86400, gt=0, description="time for which the file of an ended import is stored"
    )
    block_interval_seconds: float = Field(
        default=10, gt=0, le=3600, description="interval at which blocks are appended to the hash chain"
    )
    max_concurrent_imports_per_owner: int = Field(default=4, ge=1, description="further imports of the owner wait")

    @property
    def notifications_url(self) -> str | None:
        """URL of the connection that listens to notifications; None if only a pooler is reachable, which loses them."""
        url = self.direct_database_url or (self.database_url if self.database_prepared_statements else None)
        return url.get_secret_value() if url else None
