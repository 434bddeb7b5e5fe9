"""Entry point of the service: `python -m task_service`."""

from chassis.service import run_service
from task_service.server import run_server
from task_service.settings import TasksSettings


def main() -> None:
    run_service("task_service", TasksSettings, run_server)


if __name__ == "__main__":
    main()
