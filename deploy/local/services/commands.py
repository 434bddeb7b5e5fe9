"""Commands of the services: migrations, bootstrap, and the commands that an operator runs by hand."""

import json
from pathlib import Path

from deploy.local.services.python_process import python_process
from deploy.local.services.settings import ServiceSettings
from deploy.local.supervision.process import ProcessSpec


def check_settings_command(settings: ServiceSettings) -> ProcessSpec:
    """Return the command that checks the settings of all services."""
    environment = {
        **settings.auth_service,
        **settings.task_service,
        **settings.import_worker,
        **settings.gateway,
        "GATEWAY_LISTEN": settings.endpoints.gateway_url.removeprefix("http://"),
    }
    return python_process("check_settings", "deploy.local.services.check_settings", environment)


def provision_commands(settings: ServiceSettings) -> tuple[ProcessSpec, ...]:
    """Return the commands that create the roles and the schema of each service."""
    return (
        python_process("provision_auth", "auth_service.commands.provision", settings.auth_provision),
        python_process("provision_tasks", "task_service.commands.provision", settings.tasks_provision),
    )


def migration_commands(settings: ServiceSettings) -> tuple[ProcessSpec, ...]:
    """Return the commands that migrate the schema of each service. They do not depend on each other."""
    return (
        python_process("migrate_auth", "auth_service.commands.migrate", settings.auth_migration),
        python_process("migrate_tasks", "task_service.commands.migrate", settings.tasks_migration),
    )


def bootstrap_command(settings: ServiceSettings) -> ProcessSpec:
    """Return the command that creates the first admin and the service accounts."""
    credentials = settings.credentials
    service_accounts = [
        {
            "name": "task_service",
            "scopes": ["trust:read", "users:read"],
            "credential": credentials.task_service_credential,
        },
        {
            "name": "import_worker",
            "scopes": ["imports:ingest"],
            "credential": credentials.import_worker_credential,
        },
    ]
    return python_process(
        "bootstrap_auth",
        "auth_service.commands.bootstrap",
        {
            **settings.auth_service,
            "AUTH_BOOTSTRAP_ADMIN_USERNAME": "admin",
            "AUTH_BOOTSTRAP_ADMIN_EMAIL": credentials.admin_email,
            "AUTH_BOOTSTRAP_ADMIN_PASSWORD": credentials.admin_password,
            "AUTH_BOOTSTRAP_SERVICES": json.dumps(service_accounts),
        },
    )


def backup_command(settings: ServiceSettings, action: str, folder: Path) -> ProcessSpec:
    """Return the command that creates or restores the backup in a folder."""
    environment = {**settings.operator_commands, **settings.auth_provision, **settings.tasks_provision}
    return python_process(f"backup_{action}", "deploy.backup", environment, arguments=(action, str(folder)))


def operator_command(settings: ServiceSettings, module: str, *arguments: str) -> ProcessSpec:
    """Return a command that an operator runs by hand, with the settings of the services."""
    return python_process(module, module, settings.operator_commands, arguments=arguments)
