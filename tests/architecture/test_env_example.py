""".env.example lists every setting with its default."""

import re
from pathlib import Path

import pytest
from pydantic import SecretStr
from pydantic_core import PydanticUndefined

from auth_service.commands.bootstrap import BootstrapSettings
from auth_service.commands.create_admin import CreateAdminSettings
from auth_service.commands.migrate import AuthMigrationSettings
from auth_service.commands.provision import AuthProvisionSettings
from auth_service.settings import AuthSettings
from chassis.tracing.settings import TracingSettings
from deploy.backup.settings import BackupSettings
from gateway.settings import GatewaySettings
from import_worker.settings import ImportWorkerSettings
from task_service.commands.erase import EraseSettings
from task_service.commands.expire_cursors import ExpireCursorsSettings
from task_service.commands.migrate import TasksMigrationSettings
from task_service.commands.provision import TasksProvisionSettings
from task_service.commands.verify import VerifySettings
from task_service.settings import TasksSettings

EXAMPLE = Path(__file__).parents[2] / ".env.example"
SETTINGS = (
    AuthSettings,
    AuthProvisionSettings,
    AuthMigrationSettings,
    BootstrapSettings,
    CreateAdminSettings,
    TasksSettings,
    TasksProvisionSettings,
    TasksMigrationSettings,
    EraseSettings,
    ExpireCursorsSettings,
    VerifySettings,
    BackupSettings,
    ImportWorkerSettings,
    GatewaySettings,
    TracingSettings,
)


def as_environment_value(default: object) -> str | None:
    """Return a default as an environment variable holds it; None for a required setting."""
    if default is PydanticUndefined:
        return None
    if isinstance(default, SecretStr):
        default = default.get_secret_value()
    if default is None or default == ():
        return ""
    return str(default).lower() if isinstance(default, bool) else str(default)


@pytest.mark.parametrize("service", ["auth_service", "task_service"])
def test_services_know_the_variables_of_their_commands(service):
    """A program refuses a variable with its prefix only if no program of the service reads it."""
    programs = [settings for settings in SETTINGS if settings.__module__.startswith(service)]
    known = {program.variables() | program.other_variables for program in programs}
    assert known == {frozenset[str]().union(*(program.variables() for program in programs))}


def test_every_setting_is_listed_with_its_default():
    actual = {
        (settings.model_config["env_prefix"] + name).upper(): as_environment_value(field.default)
        for settings in SETTINGS
        for name, field in settings.model_fields.items()
    }
    listed = {
        name: value if optional else None
        for optional, name, value in re.findall(r"^(#?)([A-Z][A-Z0-9_]+)=(.*)$", EXAMPLE.read_text(), re.MULTILINE)
    }
    assert listed == actual
