"""Programs that images run, and the settings that each reads."""

from auth_service.commands.bootstrap import BootstrapSettings
from auth_service.commands.migrate import AuthMigrationSettings
from auth_service.commands.provision import AuthProvisionSettings
from auth_service.settings import AuthSettings
from chassis.settings import Settings
from chassis.tracing.settings import TracingSettings
from gateway.settings import GatewaySettings
from import_worker.settings import ImportWorkerSettings
from task_service.commands.migrate import TasksMigrationSettings
from task_service.commands.provision import TasksProvisionSettings
from task_service.settings import TasksSettings

PROGRAMS: dict[str, type[Settings]] = {
    "auth_service": AuthSettings,
    "auth_service.commands.provision": AuthProvisionSettings,
    "auth_service.commands.migrate": AuthMigrationSettings,
    "auth_service.commands.bootstrap": BootstrapSettings,
    "task_service": TasksSettings,
    "task_service.commands.provision": TasksProvisionSettings,
    "task_service.commands.migrate": TasksMigrationSettings,
    "import_worker": ImportWorkerSettings,
    "gateway": GatewaySettings,
}
CLOUD_VARIABLES = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_ENDPOINT", "AWS_ALLOW_HTTP"}
"""Variables that the client of the object store reads."""


def known_variables(program: str) -> frozenset[str]:
    """Return the variables that a program reads, and those of the other programs of its service."""
    settings = PROGRAMS[program]
    clouds = CLOUD_VARIABLES if program == "task_service" else set()
    return settings.variables() | settings.other_variables | TracingSettings.variables() | clouds


def required_variables(program: str) -> set[str]:
    """Return the variables without which a program does not start."""
    settings = PROGRAMS[program]
    prefix = settings.model_config.get("env_prefix", "")
    return {f"{prefix}{name}".upper() for name, field in settings.model_fields.items() if field.is_required()}
