"""Entry point of the service: python -m task_service."""

import asyncio

from chassis.lifecycle import serve_until_signal
from chassis.logs import configure_logging
from chassis.settings import load_settings
from task_service.bootstrap import run_server
from task_service.settings import TasksSettings


def main() -> None:
    settings = load_settings(TasksSettings)
    configure_logging(settings.log_level, "task_service")
    asyncio.run(serve_until_signal(run_server(settings)))


if __name__ == "__main__":
    main()
