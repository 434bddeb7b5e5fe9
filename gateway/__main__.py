"""Runs the gateway: python -m gateway."""

import asyncio
import sys

import uvloop

from chassis import logs, metrics
from chassis.settings import load_settings
from chassis.lifecycle import serve_until_signal
from gateway.bootstrap import gateway
from gateway.settings import GatewaySettings
from gateway.transcoding.http_rules import UnsupportedContract
from gateway.transport.server import CannotListen


def main() -> None:
    """Serves until SIGTERM or SIGINT; exits with status 1 and one line when it can't begin."""
    settings = load_settings(GatewaySettings)
    logs.configure(settings.log_level, "gateway")
    metrics.expose(settings.metrics_listen)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve_until_signal(gateway(settings)))
    except (UnsupportedContract, CannotListen) as error:
        sys.exit(f"gateway: {error}")


if __name__ == "__main__":
    main()
