"""Check the settings of all services: `python -m deploy.local.services.check_settings`."""

import sys

from auth_service.settings import AuthSettings
from chassis.settings import MISCONFIGURED, load_settings
from chassis.tracing.settings import TracingSettings
from gateway.settings import GatewaySettings
from import_worker.settings import ImportWorkerSettings
from task_service.settings import TasksSettings

_ALL_SETTINGS = (AuthSettings, TasksSettings, ImportWorkerSettings, GatewaySettings, TracingSettings)


def main() -> int:
    """Print the problems of all services and return the exit status. Each service alone would report only its own."""
    status = 0
    for settings in _ALL_SETTINGS:
        try:
            load_settings(settings)
        except SystemExit:
            status = MISCONFIGURED
    return status


if __name__ == "__main__":
    sys.exit(main())
