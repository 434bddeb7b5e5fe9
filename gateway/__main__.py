"""Entry point of the gateway: `python -m gateway`."""

import uvloop

from chassis.service import run_service
from gateway.server import run_server
from gateway.settings import GatewaySettings


def main() -> None:
    run_service("gateway", GatewaySettings, run_server, loop_factory=uvloop.new_event_loop)


if __name__ == "__main__":
    main()
