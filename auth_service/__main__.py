"""Entry point of the service: `python -m auth_service`."""

from auth_service.server import run_server
from auth_service.settings import AuthSettings
from chassis.service import run_service


def main() -> None:
    run_service("auth_service", AuthSettings, run_server)


if __name__ == "__main__":
    main()
