"""task_service's settings, from the environment with the prefix TASKS_."""

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from chassis.settings import Listen
from chassis.settings import ListenAddress
from chassis.logs import LogLevel
from chassis.limits.load_shed import DEFAULT_CAPACITY
from chassis.tls.settings import Target, TlsSettings


class TasksSettings(TlsSettings):
    """What the service needs to run."""

    model_config = SettingsConfigDict(env_prefix="TASKS_")

    listen: ListenAddress = Listen("127.0.0.1", 50052)
    metrics_listen: ListenAddress | None = None
    database_url: SecretStr = Field(description="Postgres, as the role tasks_app")
    database_pool_size: int = Field(default=10, ge=2, le=200)
    redis_url: SecretStr = Field(description="the broker of the import workers")
    store_url: str = Field(description="where uploads are kept: file:///folder, s3://bucket/prefix, gs://, az://")
    auth_target: Target = Field(description="gRPC target of auth_service")
    auth_credential: SecretStr = Field(description="this service's own, with the scopes trust:read and users:read")
    token_issuer: str = "taskmanager"  # noqa: S105 - a name
    token_audience: str = "taskmanager"  # noqa: S105 - a name
    reflection: bool = False
    log_level: LogLevel = "info"
    drain_seconds: float = Field(default=10, gt=0, description="for calls in flight when told to stop")
    max_concurrent_calls: int = Field(
        default=DEFAULT_CAPACITY.calls, ge=1, description="further ones are told at once to come back"
    )
    max_concurrent_streams: int = Field(
        default=DEFAULT_CAPACITY.streams, ge=1, description="counted apart: watches, downloads, uploads"
    )
    max_streams_per_caller: int = Field(
        default=DEFAULT_CAPACITY.max_streams_per_caller, ge=1, description="of these, one user's or one service's"
    )
    lease_seconds: float = Field(default=15, ge=1, le=600, description="a worker silent for longer loses its import")
    trash_retention_days: float = Field(
        default=30, gt=0, le=3650, description="how long a deleted task can be undeleted"
    )
    max_upload_bytes: int = Field(default=1 << 30, gt=0, description="the largest file")
    max_stored_bytes_per_owner: int = Field(default=10 << 30, gt=0, description="all files that are kept of one owner")
    max_header_bytes: int = Field(default=2048, ge=16, le=65536, description="the longest header line")
    max_columns: int = Field(default=50, ge=1, le=1000, description="the most columns that a header line names")
    # Three times as many bytes, in UTF-8, still fit a message.
    max_record_bytes: int = Field(default=1 << 20, ge=64, le=1 << 20, description="the longest row of a file")
    max_cell_characters: int = Field(default=1 << 20, ge=1, le=1 << 20, description="the longest cell of a row")
    # Twice GATEWAY_UPLOAD_IDLE_TIMEOUT_SECONDS, so that the gateway times out first and tells its client.
    upload_idle_timeout_seconds: float = Field(
        default=60, gt=0, description="an upload of which nothing comes for longer ends"
    )
    max_upload_seconds: float = Field(default=3600, gt=0, description="unfinished uploads older than this are removed")
    upload_retention_seconds: float = Field(
        default=7 * 86400, gt=0, description="how long an ended import's file is kept"
    )
    block_interval_seconds: float = Field(default=10, gt=0, le=3600, description="how often new history is sealed")
    max_concurrent_imports_per_owner: int = Field(default=4, ge=1, description="of one owner; further ones wait")
