"""Runs the service: python -m task_service."""

import asyncio

from chassis.config import load
from chassis.lifecycle import serve_until_signal
from chassis.logs import configure
from task_service.bootstrap import serving
from task_service.settings import TasksSettings


def main() -> None:
    settings = load(TasksSettings)
    configure(settings.log_level, "task_service")
    asyncio.run(serve_until_signal(serving(settings)))


if __name__ == "__main__":
    main()
