"""Entry point of the gateway: `python -m gateway`."""

from chassis.service import run_service
from gateway.server import run_server
from gateway.settings import GatewaySettings


def main() -> None:
    run_service("gateway", GatewaySettings, run_server)


if __name__ == "__main__":
    main()
