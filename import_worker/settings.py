"""What the import worker is told by its environment."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from chassis.logs import LogLevel
from chassis.tls.settings import Target, TlsSettings


class ImportWorkerSettings(TlsSettings):
    """IMPORT_WORKER_*."""

    model_config = SettingsConfigDict(env_prefix="IMPORT_WORKER_")

    redis_url: SecretStr
    """Where wake-ups come from."""
    tasks_target: Target
    """task_service, as a gRPC target."""
    auth_target: Target
    """auth_service, as a gRPC target."""
    auth_credential: SecretStr
    """The worker's service account: name and secret, joined by a dot. Scope imports:ingest."""
    log_level: LogLevel = "info"
    heartbeat_file: Path | None = None
    """Touched every few seconds while the worker takes wake-ups, and absent while it does not."""
    slice_seconds: Annotated[float, Field(gt=0)] = 2.0
    """How long one import may keep the worker while others wait: a turn costs a few milliseconds."""
    batch_rows: Annotated[int, Field(ge=1, le=2000)] = 2000
    """Rows in one message, and so in one transaction of task_service."""
    window: Annotated[int, Field(ge=1, le=16)] = 4
    """Batches on their way without an answer."""
    answer_seconds: Annotated[float, Field(gt=0)] = 10.0
    """How long a server may be silent before its call counts as cut."""
    shutdown_seconds: Annotated[float, Field(gt=0)] = 9.0
    """How long after SIGTERM the process ends at the latest, whatever hangs. Less than the orchestrator's grace."""
