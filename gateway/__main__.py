"""Entry point of the gateway: `python -m gateway`."""

import asyncio
import sys

import uvloop

from chassis import logs, metrics
from chassis.lifecycle import serve_until_signal
from chassis.settings import load_settings
from gateway.bootstrap import run_server
from gateway.settings import GatewaySettings
from gateway.transcoding.errors import UnsupportedContract
from gateway.transport.http.server import CannotListen


def main() -> None:
    """Serve until SIGTERM or SIGINT. Exit with status 1 and a message of one line if the start fails."""
    settings = load_settings(GatewaySettings)
    logs.configure_logging(settings.log_level, "gateway")
    metrics.serve_metrics(settings.metrics_listen)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve_until_signal(run_server(settings)))
    except (UnsupportedContract, CannotListen) as error:
        sys.exit(f"gateway: {error}")


if __name__ == "__main__":
    main()
