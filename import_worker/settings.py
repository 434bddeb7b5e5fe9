"""Settings of the import worker, read from environment variables."""

from pydantic import Field, PositiveFloat, SecretStr
from pydantic_settings import SettingsConfigDict

from chassis.service_settings import ProcessSettings
from chassis.settings import RedisUrl
from chassis.tls.settings import Target


class ImportWorkerSettings(ProcessSettings):
    """Settings of the import worker, from variables IMPORT_WORKER_..."""

    model_config = SettingsConfigDict(env_prefix="IMPORT_WORKER_")

    redis_url: RedisUrl
    """Celery broker that delivers wake-ups."""
    tasks_target: Target
    """task_service, as a gRPC target."""
    auth_target: Target
    """auth_service, as a gRPC target."""
    auth_credential: SecretStr
    """Credential of the worker's service account: name and secret, joined by a dot. It has the scope imports:ingest."""
    time_slice_seconds: PositiveFloat = 0.5
    """Maximum time that one import may occupy the worker while others wait. A handover costs a few milliseconds."""
    max_batch_rows: int = Field(default=2000, ge=1, le=2000)
    """Maximum rows in one message, and so in one transaction of task_service."""
    max_unacknowledged_batches: int = Field(default=4, ge=1, le=16)
    """Maximum batches that are sent and not yet acknowledged."""
    read_timeout_seconds: PositiveFloat = 10.0
    """Read timeout: a call without a message for this time counts as lost."""
    shutdown_timeout_seconds: PositiveFloat = 9.0
    """Maximum time from SIGTERM to the end of the process. It must be shorter than the orchestrator's grace period."""
